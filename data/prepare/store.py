"""Rows between the stages: an Arrow file per part, of which any row can be read in place, and arrays of their hashes.

A row's id is its part's position and its own among the part's kept rows: `part << 32 | position`. Ids follow the order
of the sources.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.cleaning.similarity import BANDS
from data.prepare.work import Work
from data.tfrecords import Row

BATCH_ROWS = 1024
PART_SHIFT = 32
_POSITIONS = (1 << PART_SHIFT) - 1
_OPEN_FILES = 64
_COLUMNS = ("instruction", "input", "output", "location", "language", "tokens")


class Stored(NamedTuple):
    """A row that cleaning kept.

    Attributes:
        row: its texts.
        location: where it stands in its source.
        language: its code; empty if it was not asked for.
        tokens: their number; -1 if they were not counted.
    """

    row: Row
    location: str
    language: str
    tokens: int


class Keys(NamedTuple):
    """Hashes of a part's rows, N of them.

    Attributes:
        row: of the whole row, normalised: uint64 [N, 2].
        asked: of what it asks, normalised: uint64 [N].
        group: of its group: uint64 [N]; 0 without one.
        bands: of its MinHash: uint64 [N, BANDS]; [N, 0] where near-duplicates are not asked for.
    """

    row: np.ndarray
    asked: np.ndarray
    group: np.ndarray
    bands: np.ndarray


def row_id(part: int, position: int) -> int:
    """Returns the id of a part's row."""
    return part << PART_SHIFT | position


def part_of(row: int) -> tuple[int, int]:
    """Returns the part of an id, and the row's position in it."""
    return row >> PART_SHIFT, row & _POSITIONS


class RowWriter:
    """Writes the rows and keys of a part, batch by batch; both appear once they are complete."""

    def __init__(self, work: Work, part: int, *, with_bands: bool) -> None:
        self._work, self._part = work, part
        self._keys: list[Keys] = []
        self._bands = BANDS if with_bands else 0
        self.count = 0

    @contextmanager
    def writing(self) -> Iterator[RowWriter]:
        """Yields the writer, and leaves whole files behind the block."""
        import pyarrow as pa

        texts = [pa.field(name, pa.large_string()) for name in _COLUMNS[:-1]]
        self._schema = pa.schema([*texts, pa.field("tokens", pa.int32())])
        path = rows_path(self._work, self._part)
        partial = path.with_suffix(".partial")
        with pa.OSFile(str(partial), "wb") as file, pa.ipc.new_file(file, self._schema) as self._file:
            yield self
        for name, array in self._joined()._asdict().items():
            # One band after the other: a task of the third stage reads one.
            np.save(
                _keys_path(self._work, self._part, name), np.ascontiguousarray(array.T) if name == "bands" else array
            )
        partial.replace(path)

    def write(self, rows: Sequence[Stored], keys: Keys) -> None:
        """Appends at most BATCH_ROWS rows; all calls but the last give as many."""
        import pyarrow as pa

        values = [*zip(*((*each.row, each.location, each.language, each.tokens) for each in rows), strict=True)]
        arrays = [pa.array(column, field.type) for column, field in zip(values, self._schema, strict=True)]
        self._file.write_batch(pa.record_batch(arrays, schema=self._schema))
        self._keys.append(keys)
        self.count += len(rows)

    def _joined(self) -> Keys:
        if self._keys:
            return Keys(*(np.concatenate(column) for column in zip(*self._keys, strict=True)))
        empty = np.zeros((0,), np.uint64)
        return Keys(empty.reshape(0, 2), empty, empty, np.zeros((0, self._bands), np.uint64))


class RowReader:
    """Reads rows by their ids, in place: what is in memory is what the system caches of the files."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._files: OrderedDict[int, Any] = OrderedDict()

    def __getitem__(self, row: int) -> Stored:
        part, position = part_of(row)
        values = _values(self._file(part).get_batch(position // BATCH_ROWS), position % BATCH_ROWS, len(_COLUMNS))
        return Stored(Row(*values[:3]), *values[3:])

    def texts(self, row: int) -> Row:
        """Returns the texts of a row."""
        part, position = part_of(row)
        return Row(*_values(self._file(part).get_batch(position // BATCH_ROWS), position % BATCH_ROWS, 3))

    def batches(self, part: int) -> Iterator[list[Stored]]:
        """Yields the rows of a part, in order."""
        file = self._file(part)
        for index in range(file.num_record_batches):
            columns = (column.to_pylist() for column in file.get_batch(index).columns)
            yield [Stored(Row(*row[:3]), *row[3:]) for row in zip(*columns, strict=True)]

    def _file(self, part: int) -> Any:
        import pyarrow as pa

        if part not in self._files:
            self._files[part] = pa.ipc.open_file(pa.memory_map(str(rows_path(self._work, part))))
            if len(self._files) > _OPEN_FILES:
                self._files.popitem(last=False)
        self._files.move_to_end(part)
        return self._files[part]


def read_keys(work: Work, part: int, *names: str) -> list[np.ndarray]:
    """Returns some of the arrays of a part, by their names in Keys; `bands` as [BANDS, N]. They are read in place."""
    return [np.load(_keys_path(work, part, name), mmap_mode="r").view(np.ndarray) for name in names]


def rows_path(work: Work, part: int) -> Path:
    """Returns the file of a part's rows."""
    return work.path("rows", f"{part:06d}.arrow")


def _keys_path(work: Work, part: int, name: str) -> Path:
    return work.path("keys", f"{part:06d}-{name}.npy")


def _values(batch: Any, index: int, count: int) -> list[Any]:
    return [batch.column(column)[index].as_py() for column in range(count)]
