"""Assigns rows to splits, and says which rows are the same. Pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

from data.tfrecords import Row

Split = Literal["train", "eval"]
SPLITS: tuple[Split, ...] = ("train", "eval")
_HASH_BITS = 64


def split_of(row: Row, eval_percent: float) -> Split:
    """Returns the side of `row`, decided by what it asks alone, so that no prompt is on both sides.

    A higher percentage only moves rows to eval.
    """
    position = int.from_bytes(content_hash(asked(row))[: _HASH_BITS // 8], "big") / 2**_HASH_BITS  # [0, 1)
    return "eval" if position * 100 < eval_percent else "train"


def asked(row: Row) -> tuple[str, ...]:
    """Returns what `row` asks, normalised: its instruction and input, or the text of a document, which asks nothing."""
    texts = normalised_row(row)
    return texts[:2] if any(texts[:2]) else texts[2:]


def normalised_row(row: Row) -> Row:
    """Returns `row` with each of its texts normalised: rows for which that is the same repeat each other."""
    return Row(*map(normalised, row))


def normalised(text: str) -> str:
    """Returns `text` without what two writings of the same may differ in: case and white space."""
    return " ".join(text.casefold().split())


def content_hash(texts: Sequence[str]) -> bytes:
    """Returns the SHA-256 of `texts`, each behind its length so that no two run together."""
    digest = hashlib.sha256()
    for text in texts:
        encoded = text.encode("utf-8")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.digest()
