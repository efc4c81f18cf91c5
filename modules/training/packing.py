"""Packs examples into rows, and rows into batches: NumPy only.

Three ways, by ``training.packing``:

- ``best_fit``: several examples to a row, isolated from each other by segment ids;
- ``buckets``: one example to a row, rows of about the same length in a batch; a batch of shorter rows has more of them,
  so that all batches hold about the same number of tokens;
- ``none``: one example to a row, all rows of full length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from modules.settings.training import Packing

# Shares of the full length; each costs a compilation on JAX.
BUCKET_SHARES = (1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 3 / 4, 1)
BUCKET_MULTIPLE = 8
SMALLEST_BUCKET = 16


@dataclass(frozen=True)
class Rows:
    """Examples placed in rows, in the form that batches are cut from.

    Attributes:
        members: int64 [examples], example indices, row after row.
        starts: int64 [rows + 1]; row i holds ``members[starts[i]:starts[i + 1]]``.
        lengths: int64 [rows], how long each row is in tokens, padding included.
    """

    members: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.lengths)

    def members_of(self, row: int) -> list[int]:
        """Returns the example indices of one row."""
        indices: list[int] = self.members[self.starts[row] : self.starts[row + 1]].tolist()
        return indices

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Returns `values`, one per example, added up by row: int64 [rows]."""
        total = np.concatenate([[0], np.cumsum(values[self.members])])
        return total[self.starts[1:]] - total[self.starts[:-1]]


def place(lengths: np.ndarray, *, capacity: int, method: Packing, rng: np.random.Generator) -> Rows:
    """Places examples of `lengths`, each at most `capacity`, in rows; `rng` is the source of all randomness."""
    rows = pack(lengths, capacity=capacity, method=method, rng=rng)
    counts = [len(row) for row in rows]
    members = np.array([example for row in rows for example in row], np.int64)
    full = np.full(len(rows), capacity, np.int64)
    if method == "buckets":
        buckets = np.array(bucket_lengths(capacity))
        full = buckets[np.searchsorted(buckets, lengths[members])]
    return Rows(members, np.cumsum([0, *counts], dtype=np.int64), full)


def pack(lengths: np.ndarray, *, capacity: int, method: Packing, rng: np.random.Generator) -> list[list[int]]:
    """Groups examples into rows of at most `capacity` inputs.

    Best fit, longest first: each example goes to the row whose room it fills best. Examples of equal length are taken
    in random order, so that neighbours in the file do not share a row.

    Args:
        lengths: int [examples], each at most `capacity`.
        capacity: inputs per row.
        method: all but ``"best_fit"`` give every example a row of its own.
        rng: the source of all randomness.

    Returns:
        The rows, each a list of example indices.
    """
    order = rng.permutation(len(lengths))
    if method != "best_fit":
        return [[int(example)] for example in order]
    order = order[np.argsort(-lengths[order], kind="stable")]
    rows: list[list[int]] = []
    by_room: list[list[int]] = [[] for _ in range(capacity + 1)]
    rooms = 0  # bit r is set while some row has exactly r inputs of room
    for example in order.tolist():
        length = int(lengths[example])
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            row = by_room[room].pop()
            if not by_room[room]:
                rooms &= ~(1 << room)
            rows[row].append(example)
        else:
            room, row = capacity, len(rows)
            rows.append([example])
        if room > length:
            by_room[room - length].append(row)
            rooms |= 1 << (room - length)
    return rows


def bucket_lengths(capacity: int) -> list[int]:
    """Returns the row lengths of the buckets, rising to `capacity`."""
    rounded = {round_up(int(np.ceil(capacity * share)), BUCKET_MULTIPLE) for share in BUCKET_SHARES}
    return sorted({length for length in rounded if SMALLEST_BUCKET <= length < capacity} | {capacity})


def cut_batches(rows: Rows, *, tokens: int, rng: np.random.Generator | None) -> list[np.ndarray]:
    """Returns the row indices of each batch, shuffled by `rng`; None keeps the order of the rows.

    All rows of a batch are equally long, and it has at most ``tokens // length`` of them.
    """
    batches: list[np.ndarray] = []
    for length in np.unique(rows.lengths)[::-1].tolist():
        chosen = np.flatnonzero(rows.lengths == length)
        order = chosen if rng is None else rng.permutation(chosen)
        size = max(tokens // length, 1)
        batches += [order[start : start + size] for start in range(0, len(order), size)]
    if rng is not None and batches and len(np.unique(rows.lengths)) > 1:
        batches = [batches[index] for index in rng.permutation(len(batches))]
    return batches


def ranges(starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns many ranges end to end: the numbers from each start on, and each one's place in its own range."""
    ends = np.cumsum(lengths)
    within = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)
    return np.repeat(starts, lengths) + within, within


def round_up(value: int, multiple: int) -> int:
    """Returns the smallest multiple that is not below `value`."""
    return -(-value // multiple) * multiple
