"""A source in, sharded TFRecords and their report out."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.alpaca.report import Tally, dataset_report
from data.alpaca.rows import InputMarkers, drop_reason, is_input_marker, without_input_marker
from data.alpaca.sources import RowSource, read_rows
from data.errors import SourceError
from data.folder import replaced_folder, require_replaceable
from data.origin import MANIFEST, Origin
from data.splits import SPLITS, Split, split_of
from data.tfrecords import Row, write_examples

REPORT = "report.json"
_OWN_FILE = re.compile(r"alpaca-(train|eval)-\d{5}-of-\d{5}\.tfrecord|report\.json|dataset\.json")
_log = logging.getLogger(__name__)


def convert(
    source: Path | RowSource,
    out: Path,
    *,
    source_facts: Mapping[str, Any],
    origin: Origin,
    eval_percent: float,
    shards: int,
    input_markers: InputMarkers,
) -> dict[str, Any]:
    """Writes the rows of `source` to the folder `out`, which appears complete or not at all; returns the report.

    `shards` is the number of train files; eval is one file. `source_facts` go into the report as they
    are, and `origin` into dataset.json.
    """
    require_replaceable(out, own=_OWN_FILE)
    tally = Tally()
    read = read_rows(source) if isinstance(source, Path) else source.rows()
    rows = split_rows(usable_rows(read, tally, input_markers), eval_percent)
    for split in SPLITS:
        if not rows[split]:
            usable = sum(map(len, rows.values()))
            location = source if isinstance(source, Path) else source.name
            raise SourceError(
                f"Split {split!r} would be empty. Received: {usable} usable row(s) in {location}, "
                f"of which {eval_percent:g} % go to eval. Give more rows, or another percentage."
            )
    files: dict[Split, list[str]] = {
        "train": shard_names("train", min(shards, len(rows["train"]))),
        "eval": shard_names("eval", 1),
    }
    settings = {"eval_percent": eval_percent, "input_markers": input_markers}
    report = dataset_report(rows, tally, source=source_facts, settings=settings, files=files)
    _write_folder(out, rows, files, {REPORT: _json(report), MANIFEST: origin.render()})
    return report


def usable_rows(rows: Iterable[Row], tally: Tally, input_markers: InputMarkers) -> Iterator[Row]:
    """Yields `rows` without those that cannot be learned from, and with markers treated; both counted in `tally`."""
    for index, row in enumerate(rows):
        tally.rows_read += 1
        if reason := drop_reason(row):
            tally.drop(reason, index, row)
            continue
        if is_input_marker(row.input):
            tally.input_markers[row.input] += 1
        yield without_input_marker(row) if input_markers == "blank" else row


def split_rows(rows: Iterable[Row], eval_percent: float) -> dict[Split, list[Row]]:
    """Returns the rows of each split, in the order given."""
    sides: dict[Split, list[Row]] = {split: [] for split in SPLITS}
    for row in rows:
        sides[split_of(row, eval_percent)].append(row)
    return sides


def shard_names(split: Split, count: int) -> list[str]:
    return [f"alpaca-{split}-{index:05d}-of-{count:05d}.tfrecord" for index in range(count)]


def _write_folder(
    out: Path,
    rows: Mapping[Split, Sequence[Row]],
    files: Mapping[Split, Sequence[str]],
    texts: Mapping[str, str],
) -> None:
    with replaced_folder(out, own=_OWN_FILE) as partial:
        for split in SPLITS:
            for index, name in enumerate(files[split]):
                count = write_examples(partial / name, rows[split][index :: len(files[split])])
                _log.info("%s: %d rows", name, count)
        for name, text in texts.items():
            (partial / name).write_text(text, encoding="utf-8")


def _json(report: Mapping[str, Any]) -> str:
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"
