"""Documents in, sharded TFRecords and their report out; no more than one document is held at a time."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from data.alpaca.report import PERCENTILES, percentile
from data.errors import SourceError
from data.folder import replaced_folder
from data.origin import MANIFEST, Origin
from data.records import write_record
from data.splits import SPLITS, Split, content_hash, normalised_row, split_of
from data.text.documents import END_TOKEN, Document
from data.tfrecords import Row, encode, verify

REPORT = "report.json"
OWN_FILE = re.compile(r"text-(train|eval)-\d{5}-of-\d{5}\.tfrecord|report\.json|dataset\.json")
_HASH_BYTES = 8  # enough to tell 100 million documents apart
_log = logging.getLogger(__name__)


@dataclass
class Tally:
    """Counts of read documents, made as they pass."""

    read: int = 0
    blank: int = 0
    with_end_token: int = 0
    repeated: int = 0
    characters: dict[Split, list[int]] = field(default_factory=lambda: {split: [] for split in SPLITS})
    seen: set[bytes] = field(default_factory=set)

    def add(self, row: Row, split: Split) -> None:
        """Counts a document that is kept."""
        digest = content_hash(normalised_row(row))[:_HASH_BYTES]
        self.repeated += digest in self.seen
        self.seen.add(digest)
        self.with_end_token += END_TOKEN in row.output
        self.characters[split].append(len(row.output))


def convert(
    documents: Iterable[Document],
    out: Path,
    *,
    source_facts: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    origin: Origin,
    eval_percent: float,
    shards: int,
) -> dict[str, Any]:
    """Writes the documents to the folder `out`, which appears complete or not at all; the report.

    Args:
        documents: what to write; blank ones are left out.
        out: must be new, empty or an earlier output.
        source_facts: of each source; they go into the report as they are.
        settings: likewise.
        origin: goes into dataset.json.
        eval_percent: share of the documents, by a hash of each, that goes to eval, above 0 and below 100.
        shards: the number of train files; eval is one.

    Raises:
        SourceError: If a split would be empty, or `out` holds anything else.
    """
    with replaced_folder(out, own=OWN_FILE) as partial:
        tally = _write(documents, partial, eval_percent=eval_percent, shards=shards)
        _require_both_splits(tally, eval_percent)
        files = {split: _number_shards(partial, split) for split in SPLITS}
        problems = verify({split: [partial / name for name in names] for split, names in files.items()}, kind="text")
        if problems:
            raise SourceError("The files must hold what was written. Received: " + "; ".join(problems))
        report = _report(tally, files, source_facts=source_facts, settings=settings)
        text = json.dumps(report, indent=2, ensure_ascii=False)
        (partial / REPORT).write_text(text + "\n", encoding="utf-8")
        (partial / MANIFEST).write_text(origin.render(), encoding="utf-8")
    return report


def _write(documents: Iterable[Document], folder: Path, *, eval_percent: float, shards: int) -> Tally:
    """Deals each split's documents out to its shards in turn."""
    tally = Tally()
    counts: Counter[Split] = Counter()
    with ExitStack() as stack:
        wanted: dict[Split, int] = {"train": shards, "eval": 1}
        files: dict[Split, list[BinaryIO]] = {
            split: [stack.enter_context((folder / f"{split}-{index:05d}").open("wb")) for index in range(count)]
            for split, count in wanted.items()
        }
        for document in documents:
            tally.read += 1
            if not document.text.strip():
                tally.blank += 1
                continue
            row = Row("", "", document.text)
            split = split_of(row, eval_percent)
            write_record(files[split][counts[split] % len(files[split])], encode(row))
            counts[split] += 1
            tally.add(row, split)
    return tally


def _require_both_splits(tally: Tally, eval_percent: float) -> None:
    for split in SPLITS:
        if not tally.characters[split]:
            kept = sum(map(len, tally.characters.values()))
            raise SourceError(
                f"Split {split!r} would be empty. Received: {kept} document(s), of which {eval_percent:g} % go to "
                "eval. Give more documents, part the files by --separator, or take another percentage."
            )


def _number_shards(folder: Path, split: Split) -> list[str]:
    """Names the shards that got a document; the others go."""
    filled = []
    for path in sorted(folder.glob(f"{split}-*")):
        if path.stat().st_size:
            filled.append(path)
        else:
            path.unlink()
    names = [f"text-{split}-{index:05d}-of-{len(filled):05d}.tfrecord" for index in range(len(filled))]
    for path, name in zip(filled, names, strict=True):
        path.rename(folder / name)
        _log.info("%s: %d bytes", name, (folder / name).stat().st_size)
    return names


def _report(
    tally: Tally,
    files: Mapping[Split, Sequence[str]],
    *,
    source_facts: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Returns the report as plain JSON data; no path, time or machine in it, so equal inputs give equal reports."""
    lengths = sorted(length for split in SPLITS for length in tally.characters[split])
    return {
        "sources": [dict(facts) for facts in source_facts],
        "settings": dict(settings),
        "documents_read": tally.read,
        "documents_kept": len(lengths),
        "documents_blank": tally.blank,
        "documents_repeated": tally.repeated,
        "documents_with_end_token": tally.with_end_token,
        "splits": {
            split: {
                "documents": len(tally.characters[split]),
                "characters": sum(tally.characters[split]),
                "files": list(files[split]),
            }
            for split in SPLITS
        },
        "characters": {f"p{percent}": percentile(lengths, percent) for percent in PERCENTILES},
    }
