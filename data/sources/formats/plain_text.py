"""Text files: a file is one document, or blank lines or literal end tokens part it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from data.errors import SourceError
from data.lines import read_lines
from data.sources.formats.format import FileFormat
from data.sources.formats.json_lines import not_utf8
from data.sources.items import Item, Part, ReadSettings, Record

END_TOKEN = "<|endoftext|>"


def read(part: Part, settings: ReadSettings) -> Iterator[Item]:
    """Yields the documents in order, each as the column `text`, without the white space around it.

    Raises:
        SourceError: If a line is not UTF-8, a document too large, or the file damaged or cut.
    """
    lines = _decoded(part, settings)
    for number, text in enumerate(_PARTED[settings.separator](lines), start=1):
        yield Record(f"{part.name}, document {number}", {"text": text.strip()})


def _decoded(part: Part, settings: ReadSettings) -> Iterator[str]:
    for line in read_lines(part.address, max_bytes=settings.max_row_bytes):
        if not line.is_whole:
            raise SourceError(
                f"{part.name}, line {line.number}: a line must have at most {settings.max_row_bytes:,} bytes. "
                f"Received: {line.length:,}. --max-row-bytes allows more."
            )
        try:
            yield line.content.decode("utf-8-sig" if line.number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise SourceError(f"{part.name}, line {line.number}: {not_utf8(error)} Save it as UTF-8.") from error


def _whole_file(lines: Iterable[str]) -> Iterator[str]:
    yield "".join(lines)


def _split_at_blank_lines(lines: Iterable[str]) -> Iterator[str]:
    part: list[str] = []
    for line in lines:
        if line.strip():
            part.append(line)
        elif part:
            yield "".join(part)
            part = []
    if part:
        yield "".join(part)


def _split_at_end_tokens(lines: Iterable[str]) -> Iterator[str]:
    part: list[str] = []
    for line in lines:
        first, *others = line.split(END_TOKEN)
        part.append(first)
        for other in others:
            yield "".join(part)
            part = [other]
    if "".join(part).strip():  # most files also end with the token
        yield "".join(part)


_PARTED: Mapping[str, Callable[[Iterable[str]], Iterator[str]]] = {
    "file": _whole_file,
    "blank-lines": _split_at_blank_lines,
    "end-token": _split_at_end_tokens,
}
SEPARATORS = tuple(_PARTED)

FORMAT = FileFormat((".txt",), read)
