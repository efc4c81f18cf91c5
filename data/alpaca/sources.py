"""Sources of rows: the public editions by name, a local file, or a source of the user's own."""

from __future__ import annotations

import hashlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from data.errors import SourceError
from data.lines import COMPRESSED, kind_of, read_json, read_json_lines, require_object, require_utf8
from data.origin import Origin
from data.tfrecords import FIELDS, MAY_BE_ABSENT, Row

_LIST, _LINES = ".json", ".jsonl"

LICENSE = "cc-by-nc-4.0"  # of both editions: research, not commerce
_RAW = "https://raw.githubusercontent.com"

# Each URL names a commit, so its bytes never change; their size and SHA-256 are in checksums.tsv.
EDITIONS: Mapping[str, str] = {
    "original": f"{_RAW}/tatsu-lab/stanford_alpaca/761dc5bfbdeeffa89b8bff5d038781a4055f796a/alpaca_data.json",
    "cleaned": (f"{_RAW}/gururise/AlpacaDataCleaned/d03c782bffd50ceeb1f4ef3c020129229ec4698c/alpaca_data_cleaned.json"),
}

ORIGINS: Mapping[str, Origin] = {
    "original": Origin(LICENSE, ("tatsu-lab/alpaca",), (EDITIONS["original"],)),
    "cleaned": Origin(LICENSE, ("yahma/alpaca-cleaned",), (EDITIONS["cleaned"],)),
}


@dataclass(frozen=True)
class RowSource:
    """A source of the user's own, which ``--source package.module:OBJECT`` names.

    Attributes:
        name: what report.json calls it.
        origin: licence, data sets and addresses, for dataset.json.
        rows: gives all rows, from the first.
    """

    name: str
    origin: Origin
    rows: Callable[[], Iterable[Row]]


def own_source(reference: str) -> RowSource:
    """Returns the source that ``package.module:OBJECT`` refers to.

    Raises:
        SourceError: If there is none, or it is something else.
    """
    try:
        found = pkgutil.resolve_name(reference)
    except (ImportError, AttributeError, ValueError) as error:
        raise SourceError(
            "A source of your own must be an object that can be imported. "
            f"Received: {reference!r}; {error}. Put its module's folder on PYTHONPATH, or mend the name."
        ) from error
    if not isinstance(found, RowSource):
        raise SourceError(
            "A source of your own must be a data.alpaca.sources.RowSource. "
            f"Received: {reference!r}, a {type(found).__name__}."
        )
    return found


class Checksum(NamedTuple):
    """The size and the hash that a downloaded file must have."""

    size_bytes: int
    sha256: str


def checksums() -> dict[str, Checksum]:
    """Returns the checksums of checksums.tsv (TFDS's format: URL, size, SHA-256, file name) by URL."""
    lines = Path(__file__).with_name("checksums.tsv").read_text(encoding="utf-8").splitlines()
    fields = [line.split("\t") for line in lines]
    return {url: Checksum(int(size), sha256) for url, size, sha256, _ in fields}


def sha256_of(path: Path) -> str:
    if not path.is_file():
        raise SourceError(f"The source must be an existing file. Received: {path}.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def edition_of(sha256: str) -> str | None:
    """Returns the public edition whose file has this SHA-256, whatever it is called here; None if none has."""
    found = checksums()
    return next((edition for edition, url in EDITIONS.items() if found[url].sha256 == sha256), None)


def require_sha256(path: Path, expected: str | None) -> str:
    """Returns the SHA-256 of `path`; SourceError unless it is `expected` (hex digits; None accepts any)."""
    actual = sha256_of(path)
    if expected and actual != expected.lower():
        raise SourceError(
            f"{path} is not the file that was asked for. Expected: sha256:{expected.lower()}. "
            f"Received: sha256:{actual}. Fetch it again, or pass the checksum of the file you mean."
        )
    return actual


def read_rows(path: Path) -> Iterator[Row]:
    """Returns the rows of a JSON list (`.json`) or of JSON lines (`.jsonl`), either also compressed.

    A row may lack its `input`, or have null there: both are an empty one.

    Raises:
        SourceError: If `path` is named otherwise, cannot be read, or holds something that is no row.
    """
    if kind_of(path) not in (_LIST, _LINES):
        raise SourceError(
            f"A source must be named {_LIST} or {_LINES}, or one of those with {COMPRESSED} behind it. "
            f"Received: {path.name}. Rename or convert it."
        )
    entries = read_json_lines(path) if kind_of(path) == _LINES else _list_entries(path)
    for location, entry in entries:
        yield Row(*(_field(entry, name, location) for name in FIELDS))


def _list_entries(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    entries = read_json(path)
    if not isinstance(entries, list):
        raise SourceError(
            f"{path}: the file must be one JSON list of rows. Received: {type(entries).__name__}. "
            f"A file with one row a line must be named {_LINES}."
        )
    for index, entry in enumerate(entries):
        location = f"{path}, row {index}"
        yield location, require_object(entry, location)


def _field(entry: Mapping[str, Any], name: str, location: str) -> str:
    text = entry.get(name)
    if text is None and name in MAY_BE_ABSENT:
        return ""
    if name not in entry:
        has = ", ".join(sorted(entry)) or "no fields"
        raise SourceError(f"{location}: field {name!r} is missing. Received: {has}. Rename it, or remove the row.")
    if not isinstance(text, str):
        raise SourceError(f"{location}: field {name!r} must be a string. Received: {text!r:.80}. Write it in quotes.")
    return require_utf8(text, name, location)
