"""Fetching a public edition: checked against checksums.tsv, and kept for the next call."""

from __future__ import annotations

import http.client
import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path

from data.alpaca.editions import EDITIONS, Checksum, checksums, sha256_of
from data.errors import SourceError

TIMEOUT_SECONDS = 30  # without a byte received


def download(edition: str, folder: Path) -> Path:
    """Returns the file of a public edition, from `folder` if an earlier call left it there."""
    url = EDITIONS[edition]
    return fetch(url, checksums()[url], folder)


def fetch(url: str, checksum: Checksum, folder: Path) -> Path:
    """Returns the file behind `url`; SourceError if it cannot be had or is not the one that `checksum` names."""
    path = folder / f"{checksum.sha256[:12]}-{url.rsplit('/', 1)[-1]}"
    if path.is_file() and _checksum_of(path) == checksum:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        _transfer(url, partial)
        if (received := _checksum_of(partial)) != checksum:
            raise SourceError(
                f"{url} did not serve the file that was recorded. Expected: {checksum.size_bytes} bytes, "
                f"sha256:{checksum.sha256}. Received: {received.size_bytes} bytes, sha256:{received.sha256}."
            )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _checksum_of(path: Path) -> Checksum:
    return Checksum(path.stat().st_size, sha256_of(path))


def _transfer(url: str, path: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response, path.open("wb") as file:
            shutil.copyfileobj(response, file)
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise SourceError(
            f"{url} could not be fetched. Received: {error}. "
            "Without a network, pass the path of a file you have as the source."
        ) from error
