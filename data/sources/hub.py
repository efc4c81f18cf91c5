"""Data sets of the Hugging Face Hub: `hf://datasets/OWNER/NAME[@REVISION][/PATH or glob]`."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Sequence
from typing import Any

from data.errors import SourceError, SourceUnavailable
from data.lines import kind_of
from data.origin import Origin
from data.sources import files
from data.sources.items import Planned, ReadSettings, SourceKind

PREFIX = "hf://datasets/"
_ADDRESS = re.compile(
    r"hf://datasets/(?P<repo_id>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[^/]+(?:%2F[^/]+)*))?(?:/(?P<path>.+))?"
)


def plan(address: str, settings: ReadSettings) -> Planned:
    """Fetches the files of a revision into huggingface_hub's cache, and returns their plan.

    Without a path, these are the Parquet files, or without any the files of every other known format. The Hub is the
    one that HF_ENDPOINT names, the token HF_TOKEN's.

    Raises:
        SourceError: If there is no such data set, revision or file.
        SourceUnavailable: If the Hub does not answer.
    """
    from httpx2 import HTTPError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    repo_id, revision, pattern = _parsed(address)
    try:
        hub = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
        info = hub.dataset_info(repo_id, revision=revision)
        commit = str(info.sha)
        names = _chosen([sibling.rfilename for sibling in info.siblings or ()], pattern, address)
        paths = [hub.hf_hub_download(repo_id, name, repo_type="dataset", revision=commit) for name in names]
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise SourceError(
            f"A data set must be on the Hub, and readable with the token in HF_TOKEN. Received: {address}; "
            f"{type(error).__name__}. Correct name and revision, or set the token."
        ) from error
    except (HfHubHTTPError, HTTPError, LocalEntryNotFoundError) as error:
        raise SourceUnavailable(
            f"The Hub must answer. Received: {type(error).__name__} for {address}. Try again."
        ) from error
    shown = f"{PREFIX}{repo_id}@{commit}"
    origin = Origin(_licence(info.card_data), (repo_id,), (shown,))
    return files.plan_files(paths, settings, names=[f"{shown}/{name}" for name in names], origin=origin)


def _parsed(address: str) -> tuple[str, str | None, str | None]:
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise SourceError(
            f"A data set of the Hub must be written {PREFIX}OWNER/NAME@REVISION, with a path behind it or none. "
            f"Received: {address}."
        )
    revision = match["revision"]
    return match["repo_id"], revision.replace("%2F", "/") if revision else None, match["path"]


def _chosen(names: Sequence[str], pattern: str | None, address: str) -> list[str]:
    """Returns the files to read, in order."""
    known = sorted(name for name in names if kind_of(name) in files.SUFFIXES and kind_of(name) != ".txt")
    if pattern is not None:
        chosen = [name for name in sorted(names) if name == pattern or fnmatch.fnmatchcase(name, pattern)]
    else:
        chosen = [name for name in known if kind_of(name) == ".parquet"] or known
    if not chosen:
        raise SourceError(
            f"A data set must have a file to read. Received: {address}, which has {', '.join(names[:5]) or 'none'}. "
            "Name one behind the revision."
        )
    return chosen


def _licence(card: Any) -> str | None:
    licence = card.get("license") if card is not None else None
    return licence if isinstance(licence, str) else None


KIND = SourceKind("hub", lambda address: address.startswith("hf://"), plan, files.read)
