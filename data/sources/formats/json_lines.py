"""JSON lines: one object on a line."""

from __future__ import annotations

import json
from collections.abc import Iterator

from data.errors import SourceError
from data.lines import Line, read_lines
from data.sources.formats.format import FileFormat
from data.sources.items import Item, Malformed, Part, ReadSettings, Record

_BOM = b"\xef\xbb\xbf"


def read(part: Part, settings: ReadSettings) -> Iterator[Item]:
    """Yields the object of each line that is not blank; what is none, as `Malformed`.

    Raises:
        SourceError: If the file is damaged, or its last line is cut.
    """
    lines = read_lines(
        part.address, start=part.start, end=part.end, first_line=part.first_line, max_bytes=settings.max_row_bytes
    )
    for line in lines:
        item = read_line(line, f"{part.name}, line {line.number}")
        if isinstance(item, Malformed) and part.end is None and line.is_whole and not line.content.endswith(b"\n"):
            raise SourceError(
                f"{item.location}: the last line must be whole. Received: {item.problem} "
                "The file is cut: fetch it again, or end the line."
            )
        if item is not None:
            yield item


def read_line(line: Line, location: str) -> Item | None:
    """Returns the record of a line; None of a blank one."""
    if not line.is_whole:
        return Malformed(location, too_large(line.length, len(line.content)), head(line.content))
    content = line.content.removeprefix(_BOM) if line.number == 1 else line.content
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        return Malformed(location, not_utf8(error), content.decode("utf-8", "backslashreplace"))
    return read_object(text, location) if text.strip() else None


def read_object(text: str, location: str) -> Item:
    """Returns the record that a JSON text is."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        problem = f"The line must be JSON. Received: {error.msg} at column {error.colno}."
    except RecursionError:
        problem = "The line must be JSON of few levels. Received: too many."
    else:
        if isinstance(value, dict):
            return Record(location, value)
        problem = f"A row must be a JSON object. Received: {type(value).__name__}."
    return Malformed(location, problem, text)


def not_utf8(error: UnicodeDecodeError) -> str:
    """Returns the sentence about bytes that are no UTF-8."""
    return f"The text must be UTF-8. Received: byte 0x{error.object[error.start]:02x} at column {error.start + 1}."


def too_large(length: int, allowed: int) -> str:
    """Returns the sentence about a row that is too large."""
    return f"A row must have at most {allowed:,} bytes. Received: {length:,}. --max-row-bytes allows more."


def head(content: bytes) -> str:
    """Returns the first characters of what is too large to be kept."""
    return content[:1000].decode("utf-8", "backslashreplace") + " …"


FORMAT = FileFormat((".jsonl", ".ndjson"), read, is_split=True)
