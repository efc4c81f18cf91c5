"""Samples rows of the evaluation split: the same ones in every run, whatever order they come in."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from hashlib import blake2b

from data.tfrecords import Row, decode, encode


def sample_rows(records: Iterable[bytes], *, rows: int, seed: int) -> list[Row]:
    """Returns `rows` of the records, or all if there are fewer; those with the smallest hashes.

    A row's place depends on itself and the seed alone, so other rows that come or go leave most of a sample in place.

    Args:
        records: serialized examples, in any order; one that holds no row is left out.
        rows: how many.
        seed: another one gives another sample.
    """
    salt = seed.to_bytes(8, "big")
    found = (row for record in records if isinstance(row := decode(record), Row))
    # Not of the record: ExampleGen writes a row's features in any order, another one in every run.
    hashed = ((blake2b(encode(row), digest_size=16, salt=salt).digest(), row) for row in found)
    return [row for _, row in heapq.nsmallest(rows, hashed)]
