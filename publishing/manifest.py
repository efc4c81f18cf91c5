"""Writes and reads `manifest.json`: the revision, the ones before it, and every other file with its size and sha256.

By it a later run finds what it has already published, and anybody can check what they downloaded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from publishing.files import PlannedFile

MANIFEST_PATH = "manifest.json"
MANIFEST_FORMAT = 1

_REVISION = re.compile(r"v\d{8}-\d{6}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class PastRevision:
    """A revision that was there before: its name and its commit."""

    revision: str
    commit: str


@dataclass(frozen=True)
class Manifest:
    """Contents of `manifest.json`: the revision, earlier ones (newest first), and sha256 and size of every other
    file."""

    revision: str
    history: tuple[PastRevision, ...] = ()
    files: Mapping[str, tuple[str, int]] = field(default_factory=dict)


def read_manifest(content: bytes) -> Manifest | None:
    """Returns what a published `manifest.json` says; None when it is not one of ours."""
    try:
        manifest = json.loads(content)
        if manifest["format"] != MANIFEST_FORMAT or not isinstance(manifest["revision"], str):
            return None
        past = tuple(_past_revision(**entry) for entry in manifest.get("history", ()))
        files = {str(path): (str(file["sha256"]), int(file["size"])) for path, file in manifest["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return Manifest(manifest["revision"], past, files)


def render_manifest(
    files: Sequence[PlannedFile], *, repo_id: str, revision: str, history: Sequence[PastRevision] = ()
) -> bytes:
    """Returns the bytes of `manifest.json` for these files."""
    content = {
        "format": MANIFEST_FORMAT,
        "repo_id": repo_id,
        "revision": revision,
        "history": [asdict(past) for past in history],
        "files": {file.path: {"size": file.size_bytes, "sha256": file.sha256} for file in files},
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def _past_revision(revision: str, commit: str) -> PastRevision:
    if not _REVISION.fullmatch(revision) or not _COMMIT.fullmatch(commit):
        raise ValueError(f"A revision is named by its moment, a commit by 40 digits. Received: {revision}, {commit}")
    return PastRevision(revision, commit)
