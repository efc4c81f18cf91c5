"""The text columns of a split, and a hash of the rows, gathered as the rows pass by."""

from __future__ import annotations

import bisect
import hashlib
from collections import Counter
from collections.abc import Mapping

from data.tfrecords import FIELDS, Row, encode
from pipeline.components.data_gate.record import TextColumn

LENGTH_BOUNDS = (0, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)  # characters; the last bar is longer
DIGEST_BYTES = 32


class TextSurvey:
    """Counts the lengths of a split's texts and adds up the hashes of its rows."""

    def __init__(self) -> None:
        self._lengths: dict[str, Counter[int]] = {name: Counter() for name in FIELDS}
        self._longest = dict.fromkeys(FIELDS, 0)
        self.digest_sum = 0

    def add_unreadable(self, record: bytes) -> None:
        """Takes in a serialized example that holds no row."""
        self.digest_sum += int.from_bytes(hashlib.sha256(record).digest(), "big")

    def add(self, row: Row) -> None:
        """Takes in the texts of a row.

        The hash is of the row, not of its record: ExampleGen writes a row's features in another order in every run.
        """
        self.digest_sum += int.from_bytes(hashlib.sha256(encode(row)).digest(), "big")
        for name, text in zip(FIELDS, row, strict=True):
            self._lengths[name][_bar(text)] += 1
            self._longest[name] = max(self._longest[name], len(text))

    def columns(self) -> dict[str, TextColumn]:
        """Returns what was counted, by column."""
        return {name: self._column(name) for name in FIELDS}

    def _column(self, name: str) -> TextColumn:
        counts = self._lengths[name]
        bounds = (*LENGTH_BOUNDS, LENGTH_BOUNDS[-1] * 2)  # the bound after the last stands for "longer"
        lengths = tuple((bound, counts[index]) for index, bound in enumerate(bounds))
        return TextColumn(blank=counts[0], longest=self._longest[name], lengths=lengths)


def _bar(text: str) -> int:
    return bisect.bisect_left(LENGTH_BOUNDS, len(text)) if text.strip() else 0


def hash_rows(splits: Mapping[str, TextSurvey]) -> str:
    """Returns the same for the same rows in whatever order and files: a SHA-256 of the sums of the rows' SHA-256."""
    digest = hashlib.sha256()
    for split, texts in sorted(splits.items()):
        total = (texts.digest_sum % 2 ** (8 * DIGEST_BYTES)).to_bytes(DIGEST_BYTES, "big")
        digest.update(split.encode() + b"\0" + total)
    return digest.hexdigest()
