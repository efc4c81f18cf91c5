"""Where the rows come from: the public editions by name, or a local file; and how they are read."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from data.errors import SourceError
from data.tfrecords import FIELDS, Row

LICENSE = "CC BY-NC 4.0"  # of both editions: research, not commerce
_RAW = "https://raw.githubusercontent.com"

# Each URL names a commit, so its bytes never change; their size and SHA-256 are in checksums.tsv.
EDITIONS: Mapping[str, str] = {
    "original": f"{_RAW}/tatsu-lab/stanford_alpaca/761dc5bfbdeeffa89b8bff5d038781a4055f796a/alpaca_data.json",
    "cleaned": (f"{_RAW}/gururise/AlpacaDataCleaned/d03c782bffd50ceeb1f4ef3c020129229ec4698c/alpaca_data_cleaned.json"),
}


class Checksum(NamedTuple):
    """What a downloaded file must be."""

    size_bytes: int
    sha256: str


def checksums() -> dict[str, Checksum]:
    """checksums.tsv (TFDS's format: URL, size, SHA-256, file name) by URL."""
    lines = Path(__file__).with_name("checksums.tsv").read_text(encoding="utf-8").splitlines()
    fields = [line.split("\t") for line in lines]
    return {url: Checksum(int(size), sha256) for url, size, sha256, _ in fields}


def sha256_of(path: Path) -> str:
    if not path.is_file():
        raise SourceError(f"The source must be an existing file. Received: {path}.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_sha256(path: Path, expected: str | None) -> str:
    """The SHA-256 of `path`; SourceError unless it is `expected` (hex digits; None accepts any)."""
    actual = sha256_of(path)
    if expected and actual != expected.lower():
        raise SourceError(
            f"{path} is not the file that was asked for. Expected: sha256:{expected.lower()}. "
            f"Received: sha256:{actual}. Fetch it again, or pass the checksum of the file you mean."
        )
    return actual


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a JSON list (`.json`) or of JSON lines (`.jsonl`), either also .gz, .bz2, .xz or .zst."""
    kind = _kind(path)
    entries = _json_lines(path) if kind == ".jsonl" else _json_list(path)
    for place, entry in entries:
        yield _row(entry, f"{path}, {place}")


def _row(entry: Any, place: str) -> Row:
    if not isinstance(entry, dict):
        raise SourceError(f"{place}: a row must be a JSON object. Received: {type(entry).__name__}.")
    return Row(*(_field(entry, name, place) for name in FIELDS))


def _field(entry: Mapping[str, Any], name: str, place: str) -> str:
    if name not in entry:
        has = ", ".join(sorted(entry)) or "no fields"
        raise SourceError(f"{place}: field {name!r} is missing. Received: {has}. Rename it, or add it empty.")
    text = entry[name]
    if not isinstance(text, str):
        raise SourceError(f"{place}: field {name!r} must be a string. Received: {text!r:.80}.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:  # JSON can spell half a surrogate pair
        found = ascii(text[error.start])
        raise SourceError(f"{place}: field {name!r} cannot be UTF-8. Received: {found} in it.") from error
    return text


def _json_list(path: Path) -> Iterator[tuple[str, Any]]:
    entries = _parse(_text(_read(path), str(path)), str(path))
    if not isinstance(entries, list):
        raise SourceError(
            f"{path}: the file must be one JSON list of rows. Received: {type(entries).__name__}. "
            "A file with one row a line must be named .jsonl."
        )
    yield from ((f"row {index}", entry) for index, entry in enumerate(entries))


def _json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(_read(path).split(b"\n"), start=1):
        if line.strip():
            place = f"line {number}"
            yield place, _parse(_text(line, f"{path}, {place}"), f"{path}, {place}")


def _parse(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        found = f"{error.msg} at line {error.lineno}, column {error.colno}"
        raise SourceError(f"{place}: not JSON. Received: {found}.") from error


def _text(content: bytes, place: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SourceError(
            f"{place}: the text must be UTF-8. Received: byte 0x{content[error.start]:02x} "
            f"at offset {error.start} (line {line} there)."
        ) from error


def _read_zst(path: Path) -> bytes:
    import zstandard

    try:
        with zstandard.open(path, "rb") as file:
            return bytes(file.read())
    except zstandard.ZstdError as error:
        raise EOFError(str(error)) from error


def _read_with(opener: Callable[[Path], IO[bytes]]) -> Callable[[Path], bytes]:
    def read(path: Path) -> bytes:
        with opener(path) as file:
            return file.read()

    return read


_READERS: Mapping[str, Callable[[Path], bytes]] = {
    "": Path.read_bytes,
    ".gz": _read_with(cast(Any, gzip.open)),
    ".bz2": _read_with(cast(Any, bz2.open)),
    ".xz": _read_with(cast(Any, lzma.open)),
    ".zst": _read_zst,
}


def _compression(path: Path) -> str:
    return path.suffix if path.suffix in _READERS else ""


def _kind(path: Path) -> str:
    kind = Path(path.name.removesuffix(_compression(path))).suffix
    if kind not in (".json", ".jsonl"):
        raise SourceError(
            "A source must be named .json or .jsonl, or one of those with .gz, .bz2, .xz or .zst behind it. "
            f"Received: {path.name}."
        )
    return kind


def _read(path: Path) -> bytes:
    """The decompressed content of `path`."""
    compression = _compression(path)
    try:
        return _READERS[compression](path)
    except (EOFError, lzma.LZMAError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's error, not the decompressor's
            raise
        raise SourceError(f"{path}: the {compression} stream is damaged. Received: {error}.") from error
