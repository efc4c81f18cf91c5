"""Reads documents: text files and JSON lines, plain or compressed, read line by line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from data.errors import SourceError
from data.lines import COMPRESSED, kind_of, read_json_lines, read_lines, require_utf8

Separator = Literal["file", "blank-lines", "end-token"]
END_TOKEN = "<|endoftext|>"
KINDS = TEXT, JSON_LINES = ".txt", ".jsonl"


class Document(NamedTuple):
    """One text, and where it stands, for messages."""

    location: str
    text: str


def source_files(sources: Sequence[Path]) -> list[Path]:
    """Returns the files that `sources` name; of a folder, every text and JSON lines file below it, in the order of
    names.

    Raises:
        SourceError: If there is no such file or folder, or nothing to read in it.
    """
    files: list[Path] = []
    for source in sources:
        found = (
            sorted(path for path in source.rglob("*") if path.is_file() and kind_of(path) in KINDS)
            if source.is_dir()
            else []
        )
        if source.is_dir() and not found:
            raise SourceError(f"A source folder must hold .txt or .jsonl files. Received: {source}, without any.")
        if not source.is_dir() and not source.is_file():
            raise SourceError(f"A source must be an existing file or folder. Received: {source}.")
        if source.is_file() and kind_of(source) not in KINDS:
            raise SourceError(
                f"A source must be named {TEXT} or {JSON_LINES}, or one of those with {COMPRESSED} behind it. "
                f"Received: {source.name}."
            )
        files += found or [source]
    return files


def read_documents(path: Path, *, separator: Separator, field: str) -> Iterator[Document]:
    """Yields the documents of a file in order, blank ones too, without the white space around them.

    Args:
        path: a text file, which `separator` parts, or JSON lines, each of which holds one document.
        separator: the whole file is one document, or blank lines part it, or the literal end token does.
        field: where a JSON line has its text.

    Raises:
        SourceError: If a line is not UTF-8, not JSON or without `field`, or the compression is damaged.
    """
    if kind_of(path) == JSON_LINES:
        for location, entry in read_json_lines(path):
            yield Document(location, _text(entry, field, location).strip())
        return
    for number, text in enumerate(_PARTS[separator](read_lines(path)), start=1):
        yield Document(f"{path}, document {number}", text.strip())


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


_PARTS: Mapping[Separator, Callable[[Iterable[str]], Iterator[str]]] = {
    "file": _whole_file,
    "blank-lines": _split_at_blank_lines,
    "end-token": _split_at_end_tokens,
}


def _text(entry: Mapping[str, Any], field: str, location: str) -> str:
    text = entry.get(field)
    if not isinstance(text, str):
        received = f"{text!r:.80} in it" if field in entry else f"the fields {', '.join(sorted(entry)) or 'none'}"
        raise SourceError(
            f"{location}: field {field!r} must be a text. Received: {received}. Name another with --field."
        )
    return require_utf8(text, field, location)
