"""The second and third stage: rows that are the same, and rows that nearly are.

Each task looks at the rows of one bucket of hashes, so that its memory does not grow with the data: some hundred
thousand rows for exact duplicates, and one band of as many for near ones.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from data.cleaning.similarity import BANDS, ask_alike, texts_alike
from data.prepare.store import RowReader, part_of, read_keys, row_id
from data.prepare.work import Result, Work
from data.tfrecords import Row

ROWS_PER_TASK = 200_000
_COMPARED = 16  # rows of a bucket that a further one is compared with


def task_count(rows: int) -> int:
    """Returns into how many tasks the hashes of so many rows are divided."""
    return max(1, math.ceil(rows / ROWS_PER_TASK))


def find_exact(work: Work, task: int, tasks: int) -> Result:
    """Finds the rows that repeat an earlier one but for case and white space: int64 [M, 2], row and the earlier one."""
    found = [_exact_bucket(work, part, task, tasks) for part in range(len(work.parts))]
    hashes, ids = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((ids, hashes[:, 1], hashes[:, 0]))
    hashes, ids = hashes[order], ids[order]
    starts = np.r_[True, (hashes[1:] != hashes[:-1]).any(axis=1)] if len(ids) else np.zeros(0, bool)
    firsts = ids[starts][np.cumsum(starts) - 1] if len(ids) else ids
    pairs = np.stack([ids[~starts], firsts[~starts]], axis=1)
    np.save(work.path("exact", f"{task:06d}.npy"), pairs)
    return {"pairs": len(pairs)}


def find_near(work: Work, band: int, task: int, tasks: int) -> Result:
    """Finds near-duplicates among the rows that share a band of their MinHash.

    Leaves two arrays: `rows`, int64 [M, 2], ids that repeat each other, and `asked`, uint64 [K, 2], hashes of prompts
    that ask the same whatever the answer.
    """
    skipped = exact_losers(work)
    found = [_near_bucket(work, part, band, task, tasks, skipped) for part in range(len(work.parts))]
    ids, hashes = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((ids, hashes))
    comparison = _Comparison(work, band)
    for bucket in _buckets(hashes[order]):
        comparison.compare(ids[order[bucket]])
    comparison.save(work.path("near", f"{band:02d}-{task:06d}.npz"))
    return {"rows": len(comparison.rows), "asked": len(comparison.asked)}


class _Comparison:
    """Compares the rows of buckets, and collects the pairs that are alike."""

    def __init__(self, work: Work, band: int) -> None:
        self._reader, self._threshold, self._band = RowReader(work), work.settings.similarity, band
        self._keys = [read_keys(work, part, "bands", "asked") for part in range(len(work.parts))]
        self.rows: list[tuple[int, int]] = []
        self.asked: list[tuple[int, int]] = []

    def compare(self, ids: np.ndarray) -> None:
        """Compares each row of a bucket with those before it that none was like, up to a number of them."""
        places = [part_of(int(each)) for each in ids]
        first = self._earlier_bands(*places[0])
        # Rows that share an earlier band with the first were in one bucket with it there already.
        new = [index for index in range(1, len(ids)) if not (self._earlier_bands(*places[index]) == first).any()]
        if not new:
            return
        asked = [self._keys[part][1][position] for part, position in places]
        compared: list[tuple[int, Row]] = []
        for index in (0, *new):
            row = self._reader.texts(int(ids[index]))
            for other, earlier in compared:
                if not ask_alike(row, earlier, self._threshold):
                    continue
                if asked[index] != asked[other]:
                    self.asked.append((int(asked[index]), int(asked[other])))
                if texts_alike(row.output, earlier.output, self._threshold):
                    self.rows.append((int(ids[index]), int(ids[other])))
                    break
            else:
                if len(compared) < _COMPARED:
                    compared.append((index, row))

    def _earlier_bands(self, part: int, position: int) -> np.ndarray:
        bands: np.ndarray = self._keys[part][0][: self._band, position]
        return bands

    def save(self, path: object) -> None:
        rows = np.array(self.rows, np.int64).reshape(-1, 2)
        asked = np.array(self.asked, np.uint64).reshape(-1, 2)
        np.savez(str(path), rows=rows, asked=asked)


def near_tasks(rows: int) -> list[tuple[int, int, int]]:
    """Returns the tasks of the third stage: band, task, tasks."""
    tasks = task_count(rows)
    return [(band, task, tasks) for band in range(BANDS) for task in range(tasks)]


def exact_losers(work: Work) -> np.ndarray:
    """Returns the ids of the rows that repeat an earlier one exactly: int64 [M], sorted."""
    return np.sort(exact_pairs(work)[:, 0])


def exact_pairs(work: Work) -> np.ndarray:
    """Returns all pairs of the second stage: int64 [M, 2]."""
    files = sorted(work.folder.joinpath("exact").glob("*.npy"))
    return np.concatenate([np.zeros((0, 2), np.int64), *map(np.load, files)])


def _exact_bucket(work: Work, part: int, task: int, tasks: int) -> tuple[np.ndarray, np.ndarray]:
    (hashes,) = read_keys(work, part, "row")
    chosen = np.flatnonzero(hashes[:, 0] % np.uint64(tasks) == task)
    return hashes[chosen], row_id(part, 0) + chosen


def _near_bucket(
    work: Work, part: int, band: int, task: int, tasks: int, skipped: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    (bands,) = read_keys(work, part, "bands")
    chosen = np.flatnonzero(bands[band] % np.uint64(tasks) == task)
    ids = row_id(part, 0) + chosen
    kept = ~np.isin(ids, skipped, assume_unique=True)
    return ids[kept], bands[band][chosen[kept]]


def _buckets(hashes: np.ndarray) -> Iterator[slice]:
    """Yields the runs of equal values, of two or more."""
    bounds = np.flatnonzero(np.r_[True, hashes[1:] != hashes[:-1], True]) if len(hashes) else np.zeros(0, int)
    for start, end in itertools.pairwise(bounds):
        if end - start > 1:
            yield slice(start, end)
