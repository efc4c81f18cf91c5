"""Texts as they should be written: Unicode, white space, "noinput" markers. Pure functions."""

from __future__ import annotations

import re
import unicodedata

from data.tfrecords import Kind, Row

# "Noinput", "<no input>", "No input required." and the like, and nothing else in the field
_INPUT_MARKER = re.compile(r"[\W_]*no[\W_]*input(?:\s+(?:required|needed|provided|necessary))?[\W_]*", re.IGNORECASE)
_LEADING_MARKER = re.compile(r"<no\s?input>\s*", re.IGNORECASE)
_LINE_ENDS = re.compile(r"\r\n?|\u2028|\u2029|\x85")
_SPACES = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
# Control characters but tab and newline, soft hyphens, zero-width ones that join nothing, byte order marks.
_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff\ufffe\uffff]")
_TRAILING = re.compile(r"[ \t]+(?=\n)")
_BLANK_LINES = re.compile(r"\n{4,}")
_PLAIN = re.compile(r"[\n -~]*")  # nothing here that Unicode could spell in two ways


def tidy(row: Row, kind: Kind) -> Row:
    """Returns `row` in Unicode's composed form (NFC), with plain ends of lines and spaces, and nothing invisible.

    Of a document only ends of lines, invisible characters and the white space around it are touched.
    """
    if kind == "text":
        return row._replace(output=_INVISIBLE.sub("", _LINE_ENDS.sub("\n", row.output)).strip())
    return Row(*map(tidied, row))


def tidied(text: str) -> str:
    """Returns `text` in its plain form."""
    if not _PLAIN.fullmatch(text):
        text = unicodedata.normalize("NFC", text)
        text = _INVISIBLE.sub("", _SPACES.sub(" ", _LINE_ENDS.sub("\n", text)))
    return _BLANK_LINES.sub("\n\n\n", _TRAILING.sub("", text)).strip()


def is_input_marker(text: str) -> bool:
    """Returns whether `text` only says that there is no input."""
    return _INPUT_MARKER.fullmatch(text) is not None


def without_input_marker(row: Row) -> Row:
    """Returns `row`, its input emptied if it is a marker, and its output without one in front."""
    output = _LEADING_MARKER.sub("", row.output) if row.output.startswith("<") else row.output
    return Row(row.instruction, "" if is_input_marker(row.input) else row.input, output)
