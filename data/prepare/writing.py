"""The last two stages: the rows that stay become records of their splits, and the records the files of the output."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from data.cleaning.rules import Finding
from data.prepare import dropped
from data.prepare.clusters import EXACT, NEAR, Clusters, load_clusters, split_positions
from data.prepare.store import RowReader, Stored, read_keys, row_id
from data.prepare.tally import Tally
from data.prepare.work import Result, Work
from data.records import write_record
from data.splits import SPLITS, Split
from data.tfrecords import encode

OUT = "out"


def write_fragments(work: Work, part: int) -> Result:
    """Writes the rows of a part that stay, to a file per split and shard; returns the counts."""
    return _Fragments(work, part).write()


class _Fragments:
    """Deals out the rows of one part."""

    def __init__(self, work: Work, part: int) -> None:
        self._work, self._part, self._settings = work, part, work.settings
        self._clusters: Clusters = load_clusters(work)
        self._reader = RowReader(work)
        self._tally = Tally()
        self._sizes: Counter[str] = Counter()

    def write(self) -> Result:
        folder = self._work.path("fragments", f"{self._part:06d}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        with ExitStack() as stack:
            side = stack.enter_context(dropped.writing(folder / "dropped.jsonl.gz"))
            files: dict[str, BinaryIO] = {}
            for name, row in self._placed(side):
                if name not in files:
                    files[name] = stack.enter_context((folder / name).open("wb"))
                write_record(files[name], encode(row.row))
                self._count(name, row)
        return {"sizes": dict(sorted(self._sizes.items())), **self._tally.as_dict()}

    def _placed(self, side: dropped.Dropped) -> Iterator[tuple[str, Stored]]:
        """Yields each row that stays with the name of its fragment; the others go to the side file."""
        asked, hashes = read_keys(self._work, self._part, "asked", "row")
        is_eval = split_positions(asked, self._clusters, self._settings.seed) * 100 < self._settings.eval_percent
        shards = hashes[:, 1] % np.uint64(self._settings.shards)
        first = row_id(self._part, 0)
        bounds = np.searchsorted(self._clusters.lost, [first, first + len(asked)])
        lost = {int(self._clusters.lost[at]) - first: at for at in range(*bounds)}
        position = 0
        for batch in self._reader.batches(self._part):
            for stored in batch:
                if position in lost:
                    self._drop(stored, lost[position], side)
                else:
                    yield (
                        fragment_name("eval", 0)
                        if is_eval[position]
                        else fragment_name("train", int(shards[position])),
                        stored,
                    )
                position += 1

    def _drop(self, stored: Stored, at: int, side: dropped.Dropped) -> None:
        kept = self._reader[int(self._clusters.kept[at])]
        finding = Finding(EXACT if self._clusters.is_exact[at] else NEAR, f"of {kept.location}")
        self._tally.drop(finding, stored.location, stored.row.instruction or stored.row.output)
        side.write(finding, stored.location, {"row": stored.row._asdict()})

    def _count(self, name: str, stored: Stored) -> None:
        self._sizes[name] += 1
        self._tally.languages[stored.language] += 1
        self._tally.characters[str(sum(map(len, stored.row)))] += 1
        self._tally.counts["with input"] += bool(stored.row.input)
        if stored.tokens >= 0:
            self._tally.tokens[str(stored.tokens)] += 1


def fragment_name(split: Split, shard: int) -> str:
    """Returns the file of a part's rows for a shard."""
    return f"{split}-{shard:05d}"


def shard_tasks(fragments: Sequence[Result]) -> list[dict[str, Any]]:
    """Returns the files to join, of those that hold rows: name in the output, fragment, rows."""
    sizes = sum((Counter[str](each["sizes"]) for each in fragments), Counter[str]())
    tasks = []
    for split in SPLITS:
        filled = sorted(name for name in sizes if name.startswith(f"{split}-"))
        for index, name in enumerate(filled):
            file = f"rows-{split}-{index:05d}-of-{len(filled):05d}.tfrecord"
            tasks.append({"file": file, "split": split, "fragment": name, "rows": sizes[name]})
    return tasks


def join_shard(work: Work, task: dict[str, Any]) -> Result:
    """Writes a file of the output, all parts in order; returns what the manifest says of it."""
    path = work.path(OUT, task["file"])
    sha256 = _join(path, [work.path("fragments", f"{part:06d}", task["fragment"]) for part in range(len(work.parts))])
    return {**task, "bytes": path.stat().st_size, "sha256": sha256}


def join_dropped(work: Work) -> Result:
    """Writes the side file: of each part what reading dropped, then what repeats another row."""
    parts = range(len(work.parts))
    paths = [
        path
        for part in parts
        for path in (
            work.path("dropped", f"{part:06d}.jsonl.gz"),
            work.path("fragments", f"{part:06d}", "dropped.jsonl.gz"),
        )
    ]
    path = work.path(OUT, dropped.NAME)
    sha256 = _join(path, paths)
    return {"file": dropped.NAME, "bytes": path.stat().st_size, "sha256": sha256}


def _join(path: Path, pieces: Sequence[Path]) -> str:
    """Writes the pieces that are there one behind the other; returns the SHA-256."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        for piece in filter(Path.exists, pieces):
            with piece.open("rb") as content:
                shutil.copyfileobj(content, file, 1 << 20)
    partial.replace(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
