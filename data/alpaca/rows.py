"""Cleans a row between its source and its TFRecord. Pure functions."""

from __future__ import annotations

import re
from typing import Literal

from data.tfrecords import MUST_NOT_BE_BLANK, Row

InputMarkers = Literal["keep", "blank"]

# "Noinput", "<no input>", "No input required." and the like, and nothing else in the field
_INPUT_MARKER = re.compile(r"[\W_]*no[\W_]*input(?:\s+(?:required|needed))?[\W_]*", re.IGNORECASE)


def is_input_marker(text: str) -> bool:
    """Returns whether `text` only says that there is no input."""
    return _INPUT_MARKER.fullmatch(text) is not None


def without_input_marker(row: Row) -> Row:
    """Returns `row`, its input emptied if it is a marker."""
    return row._replace(input="") if is_input_marker(row.input) else row


def drop_reason(row: Row) -> str | None:
    """Returns why `row` cannot be learned from; None if it can."""
    for field in MUST_NOT_BE_BLANK:
        if not getattr(row, field).strip():
            return f"blank {field}"
    return None
