"""The public editions of Alpaca: addresses, checksums, licence; as a source, `alpaca:original` and `alpaca:cleaned`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from data.errors import SourceError
from data.origin import Origin

LICENSE = "cc-by-nc-4.0"  # of both editions: research, not commerce
PREFIX = "alpaca:"
FOLDER_VARIABLE = "ALPACA_DOWNLOADS"  # names the folder that keeps what was fetched
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
    """Returns the SHA-256 of a file; SourceError if there is none."""
    if not path.is_file():
        raise SourceError(f"The source must be an existing file. Received: {path}.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def edition_of(sha256: str) -> str | None:
    """Returns the public edition whose file has this SHA-256, whatever it is called here; None if none has."""
    found = checksums()
    return next((edition for edition, url in EDITIONS.items() if found[url].sha256 == sha256), None)


def edition_named(address: str) -> str:
    """Returns the edition of `alpaca:EDITION`.

    Raises:
        SourceError: If there is no such edition.
    """
    edition = address.removeprefix(PREFIX)
    if edition not in EDITIONS:
        names = " or ".join(f"{PREFIX}{name}" for name in EDITIONS)
        raise SourceError(f"An edition of Alpaca must be {names}. Received: {address}.")
    return edition


def downloads() -> Path:
    """Returns the folder that keeps what was fetched."""
    return Path(os.environ.get(FOLDER_VARIABLE, "output/downloads"))
