"""Files that rows and documents come from: text, JSON and JSON lines, plain or compressed, read line by line."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

from backports import zstd

from data.errors import SourceError

# Published corpora are packed with windows of up to 2 GiB (`zstd --long=31`); the default reads no more than 128 MiB.
_ZSTD_OPTIONS: Mapping[int, int] = {zstd.DecompressionParameter.window_log_max: 31}
_OPENERS: Mapping[str, Callable[[Path], IO[bytes]]] = {
    ".gz": cast(Any, gzip.open),
    ".bz2": cast(Any, bz2.open),
    ".xz": cast(Any, lzma.open),
    ".zst": lambda path: cast(Any, zstd.open(path, options=_ZSTD_OPTIONS)),
}
_DAMAGE = (EOFError, OSError, lzma.LZMAError, zlib.error, zstd.ZstdError)

COMPRESSIONS = tuple(_OPENERS)
COMPRESSED = f"{', '.join(COMPRESSIONS[:-1])} or {COMPRESSIONS[-1]}"  # for messages


def kind_of(path: Path) -> str:
    """Returns the suffix in front of the compression's, such as `.jsonl` of `rows.jsonl.zst`."""
    return Path(path.name.removesuffix(_compression(path))).suffix


def read_lines(path: Path) -> Iterator[str]:
    """Returns the lines of `path` with their ends, blank ones too, so that the first is the file's line 1.

    Raises:
        SourceError: If a line is not UTF-8, or the compression is damaged or cut.
    """
    for number, line in enumerate(_read_bytes(path), start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            found = f"byte 0x{line[error.start]:02x} at column {error.start + 1} of line {number}"
            raise SourceError(f"{path}: the text must be UTF-8. Received: {found}. Save it as UTF-8.") from error


def read_json(path: Path) -> Any:
    """Returns what the one JSON text in `path` holds.

    Raises:
        SourceError: If it is not JSON, and as `read_lines`.
    """
    try:
        return json.loads("".join(read_lines(path)))
    except json.JSONDecodeError as error:
        found = f"{error.msg} at line {error.lineno}, column {error.colno}"
        raise SourceError(f"{path}: the file must be JSON. Received: {found}. Correct it there.") from error


def read_json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Returns each JSON object in `path`, which has one on a line, with its place: file and line. Blank lines pass.

    Raises:
        SourceError: If a line is no JSON object, and as `read_lines`.
    """
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            location = f"{path}, line {number}"
            yield location, _json_object(line, location)


def require_object(value: Any, location: str) -> dict[str, Any]:
    """Returns `value`, which must be a JSON object.

    Raises:
        SourceError: If it is anything else.
    """
    if not isinstance(value, dict):
        raise SourceError(f"{location}: a row must be a JSON object. Received: {type(value).__name__}. Give it fields.")
    return value


def require_utf8(text: str, field: str, location: str) -> str:
    """Returns `text`, which UTF-8 must be able to hold; JSON can spell half a surrogate pair.

    Raises:
        SourceError: If it cannot.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        found = ascii(text[error.start])
        raise SourceError(
            f"{location}: field {field!r} cannot be UTF-8. Received: {found} in it. Remove it."
        ) from error
    return text


def _json_object(line: str, location: str) -> dict[str, Any]:
    try:
        return require_object(json.loads(line), location)
    except json.JSONDecodeError as error:
        found = f"{error.msg} at column {error.colno}"
        raise SourceError(f"{location}: the line must be JSON. Received: {found}. Correct it there.") from error


def _read_bytes(path: Path) -> Iterator[bytes]:
    compression = _compression(path)
    try:
        with _opened(path, compression) as file:
            yield from file
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's error, not the decompressor's
            raise
        raise SourceError(
            f"{path}: the {compression} file must be whole. Received: {error}. "
            "It is cut or damaged: fetch it again, or compress it anew."
        ) from error


def _opened(path: Path, compression: str) -> IO[bytes]:
    if not compression:
        return path.open("rb")
    if not path.stat().st_size:  # which gzip takes for an empty text
        raise EOFError("an empty file")
    return _OPENERS[compression](path)


def _compression(path: Path) -> str:
    return path.suffix if path.suffix in _OPENERS else ""
