"""Tables of delimited text: comma-separated and tab-separated values, with the columns' names in the first row."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator

from data.errors import SourceError
from data.lines import read_lines
from data.sources.formats.format import FileFormat
from data.sources.formats.json_lines import too_large
from data.sources.items import Item, Malformed, Part, ReadSettings, Record

_DELIMITERS = {".csv": ",", ".tsv": "\t"}


class _Lines:
    """Feeds decoded lines to the reader, and keeps those of the row that it is at."""

    def __init__(self, part: Part, settings: ReadSettings) -> None:
        self._part, self._max_bytes = part, settings.max_row_bytes
        self._lines = read_lines(part.address, max_bytes=settings.max_row_bytes)
        self.of_row: list[tuple[int, str]] = []
        self.last = ""
        self._row_bytes = 0

    def start_row(self) -> None:
        self.of_row, self._row_bytes = [], 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._row_bytes += line.length
        if self._row_bytes > self._max_bytes:
            first = self.of_row[0][0] if self.of_row else line.number
            raise SourceError(
                f"{self._part.name}, line {first}: {too_large(self._row_bytes, self._max_bytes)} "
                "A quote that is never closed makes one row of all that follows."
            )
        # Bytes that are no UTF-8 become half surrogates, which no text in UTF-8 has: they are found in the row.
        text = line.content.decode("utf-8", "surrogateescape")
        text = text.removeprefix("\ufeff") if line.number == 1 else text
        self.of_row.append((line.number, text))
        self.last = text
        return text


def read(part: Part, settings: ReadSettings) -> Iterator[Item]:
    """Yields the rows under the first one, which names the columns; what is no row, as `Malformed`, line by line.

    Raises:
        SourceError: If the names are missing or repeated, the file ends inside quotes or a line, or is damaged or cut.
    """
    csv.field_size_limit(min(sys.maxsize, settings.max_row_bytes))
    lines = _Lines(part, settings)
    delimiter = next(each for suffix, each in _DELIMITERS.items() if suffix in part.address.lower())
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    columns = _columns(rows, part)
    while True:
        lines.start_row()
        try:
            values = next(rows)
        except StopIteration:
            _require_end(lines, part)
            return
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise SourceError(
                    f"{part.name}, line {lines.of_row[0][0]}: quotes that open must close. Received: the end of the "
                    "file. It is cut, or a quote is too many: correct it."
                ) from error
            yield from _malformed(lines, part, f"A row must keep the rules of quotes. Received: {error}.")
            continue
        if values:
            yield from _row(columns, values, lines, part)


def _require_end(lines: _Lines, part: Part) -> None:
    """Refuses a last line without its end: nothing else tells a last field that was cut from a whole one."""
    if not lines.last.endswith("\n"):
        raise SourceError(
            f"{part.name}: the last line must have its end. Received: {lines.last[-40:]!r}. "
            "The file is cut: fetch it again, or end the line."
        )


def _row(columns: list[str], values: list[str], lines: _Lines, part: Part) -> Iterator[Item]:
    if any(map(_has_foreign_bytes, values)):
        yield from _malformed(lines, part, "The text must be UTF-8. Received: other bytes.")
    elif len(values) != len(columns):
        problem = f"A row must have the {len(columns)} fields of the first. Received: {len(values)}."
        yield from _malformed(lines, part, problem)
    else:
        yield Record(f"{part.name}, line {lines.of_row[0][0]}", dict(zip(columns, values, strict=True)))


def _columns(rows: Iterator[list[str]], part: Part) -> list[str]:
    try:
        columns = [name.strip() for name in next(rows, [])]
    except csv.Error as error:
        raise SourceError(f"{part.name}, line 1: the first row must name the columns. Received: {error}.") from error
    if not all(columns) or len(set(columns)) < len(columns) or not columns:
        raise SourceError(
            f"{part.name}, line 1: the first row must name the columns, each once. Received: "
            f"{', '.join(map(repr, columns)) or 'nothing'}. Write their names there."
        )
    return columns


def _malformed(lines: _Lines, part: Part, problem: str) -> Iterator[Malformed]:
    for number, text in lines.of_row:
        raw = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        yield Malformed(f"{part.name}, line {number}", problem, raw)


def _has_foreign_bytes(text: str) -> bool:
    return not text.isascii() and any("\udc80" <= character <= "\udcff" for character in text)


FORMAT = FileFormat(tuple(_DELIMITERS), read)
