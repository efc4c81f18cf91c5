"""One JSON list of objects, read object by object."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import IO

from data.errors import SourceError
from data.lines import opened
from data.sources.formats.format import FileFormat
from data.sources.items import Item, Malformed, Part, ReadSettings, Record

_CHUNK_BYTES = 1 << 18
_SPACE = " \t\r\n"


class _Text:
    """A window of the file's text: `text[at:]` is not yet used."""

    def __init__(self, file: IO[bytes], part: Part, max_bytes: int) -> None:
        self._file, self._part, self._max_bytes = file, part, max_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._seen_lines = 0
        self.text, self.at, self.is_at_end = "", 0, False

    def read(self) -> None:
        """Reads on, twice as much each time that nothing was used meanwhile."""
        wanted = max(_CHUNK_BYTES, len(self.text) - self.at)
        if wanted > 2 * self._max_bytes:
            raise self.error(f"an element of more than {self._max_bytes:,} bytes", "--max-row-bytes allows more")
        content = self._file.read(wanted)
        self.is_at_end = not content
        self._seen_lines += self.text.count("\n", 0, self.at)
        try:
            self.text, self.at = self.text[self.at :] + self._decoder.decode(content, final=self.is_at_end), 0
        except UnicodeDecodeError as error:
            line = self.line() + self.text.count("\n", self.at)
            raise self.error(
                f"bytes that are no UTF-8 after line {line} ({error.reason})", "Save it as UTF-8"
            ) from None

    def line(self) -> int:
        """Returns the number of the line at which the window's unused text starts."""
        return 1 + self._seen_lines + self.text.count("\n", 0, self.at)

    def error(self, found: str, way_out: str = "Correct it, or fetch it again: it may be cut") -> SourceError:
        return SourceError(f"{self._part.name}: the file must be one JSON list. Received: {found}. {way_out}.")

    def peek(self) -> str:
        """Returns the next character that is no white space, without using it; empty at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in _SPACE:
                self.at += 1
            if self.at < len(self.text) or self.is_at_end:
                return self.text[self.at : self.at + 1]
            self.read()


def read(part: Part, settings: ReadSettings) -> Iterator[Item]:
    """Yields the elements of the list; one that is no object, as `Malformed`.

    Raises:
        SourceError: If the file is anything but one whole list in UTF-8: what follows a mistake cannot be told.
    """
    with opened(part.address) as file:
        window = _Text(file, part, settings.max_row_bytes)
        if (first := window.peek()) != "[":
            hint = "A file with one row a line must be named .jsonl" if first == "{" else "Correct it"
            raise window.error(f"{first!r} as its first character", hint)
        window.at += 1
        index, previous = 0, "["
        while (found := window.peek()) != "]" or previous == ",":
            if previous == "value" and found == ",":
                window.at, previous = window.at + 1, ","
                continue
            if previous == "value" or not found:
                raise window.error(f"{found!r} instead of , or ] at line {window.line()}" if found else "no end of it")
            yield _element(window, f"{part.name}, row {index}")
            index, previous = index + 1, "value"
        window.at += 1
        if rest := window.peek():
            raise window.error(f"{rest!r} behind its end, at line {window.line()}")


def _element(window: _Text, location: str) -> Item:
    value = _decoded(window)
    if isinstance(value, dict):
        return Record(location, value)
    problem = f"A row must be a JSON object. Received: {type(value).__name__}."
    return Malformed(location, problem, json.dumps(value, ensure_ascii=False))


def _decoded(window: _Text) -> object:
    decoder = json.JSONDecoder()
    while True:
        try:
            value, end = decoder.raw_decode(window.text, window.at)
        except json.JSONDecodeError as error:
            if window.is_at_end:
                lines = window.text.count("\n", window.at, error.pos)
                raise window.error(f"{error.msg} at line {window.line() + lines}") from None
        else:
            # A number that touches the window's end may go on behind it.
            if end < len(window.text) or window.is_at_end:
                window.at = end
                return value
        window.read()


FORMAT = FileFormat((".json",), read)
