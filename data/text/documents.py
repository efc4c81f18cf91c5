"""Where documents come from: text files and JSON lines, plain or compressed, read line by line."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from data.errors import SourceError

Separator = Literal["file", "blank-lines", "end-token"]
END_TOKEN = "<|endoftext|>"
TEXT, JSON_LINES = ".txt", ".jsonl"
ZST_CHUNK_BYTES = 1 << 16


class Document(NamedTuple):
    """One text, and where it stands, for messages."""

    place: str
    text: str


def source_files(sources: Sequence[Path]) -> list[Path]:
    """The files that `sources` name; of a folder, every text and JSON lines file below it, in the order of names.

    Raises:
        SourceError: If there is no such file or folder, or nothing to read in it.
    """
    files: list[Path] = []
    for source in sources:
        found = (
            sorted(path for path in source.rglob("*") if path.is_file() and kind_of(path)) if source.is_dir() else []
        )
        if source.is_dir() and not found:
            raise SourceError(f"A source folder must hold .txt or .jsonl files. Received: {source}, without any.")
        if not source.is_dir() and not source.is_file():
            raise SourceError(f"A source must be an existing file or folder. Received: {source}.")
        if source.is_file() and not kind_of(source):
            raise SourceError(
                "A source must be named .txt or .jsonl, or one of those with .gz, .bz2, .xz or .zst behind it. "
                f"Received: {source.name}."
            )
        files += found or [source]
    return files


def kind_of(path: Path) -> str:
    """`.txt` or `.jsonl`, whether compressed or not; empty for anything else."""
    kind = Path(path.name.removesuffix(_compression(path))).suffix
    return kind if kind in (TEXT, JSON_LINES) else ""


def read_documents(path: Path, *, separator: Separator, field: str) -> Iterator[Document]:
    """The documents of a file in order, blank ones too, without the white space around them.

    Args:
        path: a text file, which `separator` parts, or JSON lines, each of which holds one document.
        separator: the whole file is one document, or blank lines part it, or the literal end token does.
        field: where a JSON line has its text.

    Raises:
        SourceError: If a line is not UTF-8, not JSON or without `field`, or the compression is damaged.
    """
    lines = _decoded(_lines(path), path)
    if kind_of(path) == JSON_LINES:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                place = f"{path}, line {number}"
                yield Document(place, _field(line, field, place).strip())
        return
    for number, text in enumerate(_PARTS[separator](lines), start=1):
        yield Document(f"{path}, document {number}", text.strip())


def _whole(lines: Iterable[str]) -> Iterator[str]:
    yield "".join(lines)


def _at_blank_lines(lines: Iterable[str]) -> Iterator[str]:
    part: list[str] = []
    for line in lines:
        if line.strip():
            part.append(line)
        elif part:
            yield "".join(part)
            part = []
    if part:
        yield "".join(part)


def _at_end_tokens(lines: Iterable[str]) -> Iterator[str]:
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
    "file": _whole,
    "blank-lines": _at_blank_lines,
    "end-token": _at_end_tokens,
}


def _field(line: str, field: str, place: str) -> str:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise SourceError(f"{place}: not JSON. Received: {error.msg} at column {error.colno}.") from error
    if not isinstance(entry, dict):
        raise SourceError(f"{place}: a line must be a JSON object. Received: {type(entry).__name__}.")
    text = entry.get(field)
    if not isinstance(text, str):
        received = f"{text!r:.80} in it" if field in entry else f"the fields {', '.join(sorted(entry)) or 'none'}"
        raise SourceError(f"{place}: field {field!r} must be a text. Received: {received}. Name another with --field.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:  # JSON can spell half a surrogate pair
        found = ascii(text[error.start])
        raise SourceError(f"{place}: field {field!r} cannot be UTF-8. Received: {found} in it.") from error
    return text


# ------------------------------------------------------------------------------------------------------- Bytes


def _decoded(lines: Iterable[bytes], path: Path) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            found = f"byte 0x{line[error.start]:02x} at column {error.start + 1} of line {number}"
            raise SourceError(f"{path}: the text must be UTF-8. Received: {found}.") from error


def _lines(path: Path) -> Iterator[bytes]:
    compression = _compression(path)
    try:
        yield from _READERS[compression](path)
    except (EOFError, lzma.LZMAError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's error, not the decompressor's
            raise
        raise SourceError(f"{path}: the {compression} stream is damaged. Received: {error}.") from error


def _read_with(opener: Callable[..., Any]) -> Callable[[Path], Iterator[bytes]]:
    def read(path: Path) -> Iterator[bytes]:
        with opener(path, "rb") as file:
            yield from file

    return read


def _read_zst(path: Path) -> Iterator[bytes]:
    rest = b""
    for chunk in _zst_chunks(path):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line + b"\n" for line in lines)
    if rest:
        yield rest


def _zst_chunks(path: Path) -> Iterator[bytes]:
    """The decompressed content, frame after frame. `zstandard.open` would end a cut file without a word."""
    import zstandard

    frame = zstandard.ZstdDecompressor().decompressobj()
    begun = False
    with path.open("rb") as file:
        try:
            while compressed := file.read(ZST_CHUNK_BYTES):
                while compressed:
                    if frame.eof:
                        frame, begun = zstandard.ZstdDecompressor().decompressobj(), False
                    yield frame.decompress(compressed)
                    begun, compressed = True, frame.unused_data if frame.eof else b""
        except zstandard.ZstdError as error:
            raise EOFError(str(error)) from error
    if begun and not frame.eof:
        raise EOFError("the file ends inside a frame")


_READERS: Mapping[str, Callable[[Path], Iterator[bytes]]] = {
    "": _read_with(cast(Any, Path.open)),
    ".gz": _read_with(gzip.open),
    ".bz2": _read_with(bz2.open),
    ".xz": _read_with(lzma.open),
    ".zst": _read_zst,
}


def _compression(path: Path) -> str:
    return path.suffix if path.suffix in _READERS else ""
