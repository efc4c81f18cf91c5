"""Checks that every file of a published revision is what its manifest says.

python -m publishing verify local/my-model --revision v20261121-225207 --public-key key.pub.pem
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from publishing.files import HUB_OWN_FILES, sha256_of
from publishing.manifest import MANIFEST_PATH, Manifest, read_manifest
from publishing.plan import SIGNATURE_PATH

if TYPE_CHECKING:
    from publishing.hub_client import Hub

# Left by the client beside what it downloads into a folder.
_CLIENTS_FOLDER = ".cache"


@dataclass(frozen=True)
class Verified:
    """The outcome of a check: the revision that the manifest names, and every problem."""

    revision: str | None  # None: there is no manifest to go by
    files: int
    size_bytes: int
    signature: str  # in words
    problems: tuple[str, ...]

    def render(self) -> str:
        """Returns the outcome as text: one line if all is well, else one for each problem."""
        if self.problems:
            return "\n".join([f"Not as published: {len(self.problems)} problems", *(f"  {p}" for p in self.problems)])
        return f"{self.revision}: {self.files} files, {self.size_bytes:,} bytes, all as published; {self.signature}"


def verify_revision(hub: Hub, repo_id: str, *, revision: str = "main", public_key: Path | None = None) -> Verified:
    """Downloads every file of a revision and compares it with the manifest, and the signature if a key is given."""
    commit = hub.commit_of(repo_id, revision=revision)
    paths = [file.path for file in hub.tree(repo_id, repo_type="model", commit=commit)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        hub.download_files(repo_id, paths=paths, commit=commit, folder=folder)
        return verify_folder(folder, public_key=public_key)


def verify_folder(folder: Path, *, public_key: Path | None = None) -> Verified:
    """Compares a downloaded revision with its manifest, and with its signature if a key is given."""
    manifest = read_manifest((folder / MANIFEST_PATH).read_bytes()) if (folder / MANIFEST_PATH).is_file() else None
    if manifest is None:
        return Verified(None, 0, 0, "", (f"{MANIFEST_PATH}: missing, or not a manifest of this publisher",))
    problems = [*_differences(folder, manifest)]
    words, problem = _signature(folder, public_key)
    size = sum(size for _, size in manifest.files.values())
    return Verified(manifest.revision, len(manifest.files), size, words, (*problems, *([problem] if problem else [])))


def _differences(folder: Path, manifest: Manifest) -> Iterable[str]:
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    there = {path for path in there if not path.startswith(f"{_CLIENTS_FOLDER}/")}
    for path, (sha256, size) in sorted(manifest.files.items()):
        if path not in there:
            yield f"{path}: missing"
        elif (folder / path).stat().st_size != size:
            yield f"{path}: {(folder / path).stat().st_size:,} bytes instead of {size:,}"
        elif (found := sha256_of(folder / path)) != sha256:
            yield f"{path}: sha256 {found} instead of {sha256}"
    for path in sorted(there - manifest.files.keys() - HUB_OWN_FILES - {MANIFEST_PATH, SIGNATURE_PATH}):
        yield f"{path}: not in the manifest"


def _signature(folder: Path, public_key: Path | None) -> tuple[str, str | None]:
    """Returns the signature in words, and what is wrong with it."""
    is_signed = (folder / SIGNATURE_PATH).is_file()
    if public_key is None:
        return ("signed, but no key was given to check it with" if is_signed else "not signed"), None
    if not is_signed:
        return "not signed", f"{SIGNATURE_PATH}: missing, and a key was given"
    from publishing.signing import signature_problem

    problem = signature_problem(folder, public_key=public_key)
    return f"signed by the key of {public_key.name}", problem and f"{SIGNATURE_PATH}: {problem}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `verify`, besides those that say which Hub."""
    parser.add_argument("repo_id", help="model repository, namespace/name")
    parser.add_argument("--revision", default="main", help="branch, tag or commit (main)")
    parser.add_argument("--folder", type=Path, help="a downloaded copy to check instead; asks no Hub")
    parser.add_argument("--public-key", type=Path, help="PEM file; the signature must be made by its private key")
