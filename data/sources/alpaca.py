"""The public editions of Alpaca as a source: `alpaca:original`, `alpaca:cleaned`."""

from __future__ import annotations

from data.alpaca.download import download
from data.alpaca.editions import ORIGINS, PREFIX, downloads, edition_named
from data.sources import files
from data.sources.items import Planned, ReadSettings, SourceKind


def plan(address: str, settings: ReadSettings) -> Planned:
    """Fetches the edition's file, unless it is there, and returns its plan.

    Raises:
        SourceError: If there is no such edition, or it cannot be fetched whole.
    """
    edition = edition_named(address)
    path = download(edition, downloads())
    return files.plan_files([str(path)], settings, names=[address], origin=ORIGINS[edition])


KIND = SourceKind("alpaca", lambda address: address.startswith(PREFIX), plan, files.read)
