"""What happens to a row between its source and its TFRecord. Pure functions."""

from __future__ import annotations

import hashlib
import re
from typing import Literal

from data.tfrecords import MUST_NOT_BE_BLANK, Row

InputMarkers = Literal["keep", "blank"]
Split = Literal["train", "eval"]
SPLITS: tuple[Split, ...] = ("train", "eval")

# "Noinput", "<no input>", "No input required." and the like, and nothing else in the field
_INPUT_MARKER = re.compile(r"[\W_]*no[\W_]*input(?:\s+(?:required|needed))?[\W_]*", re.IGNORECASE)
_HASH_BITS = 64


def is_input_marker(text: str) -> bool:
    """Whether `text` only says that there is no input."""
    return _INPUT_MARKER.fullmatch(text) is not None


def without_input_marker(row: Row) -> Row:
    """`row`, its input emptied if it is a marker."""
    return row._replace(input="") if is_input_marker(row.input) else row


def drop_reason(row: Row) -> str | None:
    """Why `row` cannot be learned from; None if it can."""
    for field in MUST_NOT_BE_BLANK:
        if not getattr(row, field).strip():
            return f"blank {field}"
    return None


def split_of(row: Row, eval_percent: float) -> Split:
    """The side of `row`, decided by its three fields alone; a higher percentage only moves rows to eval."""
    position = int.from_bytes(content_hash(row)[: _HASH_BITS // 8], "big") / 2**_HASH_BITS  # [0, 1)
    return "eval" if position * 100 < eval_percent else "train"


def content_hash(row: Row) -> bytes:
    """SHA-256 of the three fields, each behind its length so that no two rows run together."""
    digest = hashlib.sha256()
    for text in row:
        encoded = text.encode("utf-8")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.digest()
