"""Files of a revision, as they are planned and as a Hub lists them, with the checksums that both have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Files that the Hub itself puts into a new repository; they belong to no plan.
HUB_OWN_FILES = frozenset({".gitattributes"})

_READ_SIZE_BYTES = 1 << 20


@dataclass(frozen=True)
class PlannedFile:
    """One file of a commit: its path in the repository, its bytes or where they lie, and their checksums."""

    path: str
    source: Path | bytes
    size_bytes: int
    sha256: str
    git_oid: str  # sha1 that git, and the Hub for files outside LFS, gives the content

    @classmethod
    def from_bytes(cls, path: str, content: bytes) -> PlannedFile:
        """Returns the file of these bytes."""
        sha256, git_oid = _digests([content], size_bytes=len(content))
        return cls(path=path, source=content, size_bytes=len(content), sha256=sha256, git_oid=git_oid)

    @classmethod
    def from_file(cls, path: str, file: Path) -> PlannedFile:
        """Returns the file with the contents of `file`, which is read once for its checksums."""
        size_bytes = file.stat().st_size
        with file.open("rb") as stream:
            sha256, git_oid = _digests(iter(lambda: stream.read(_READ_SIZE_BYTES), b""), size_bytes=size_bytes)
        return cls(path=path, source=file, size_bytes=size_bytes, sha256=sha256, git_oid=git_oid)

    def difference(self, remote: RemoteFile | None) -> str | None:
        """Returns in which way the Hub's file is not this one, as a sentence; None if it is."""
        if remote is None:
            return f"{self.path}: missing"
        if remote.size_bytes != self.size_bytes:
            return f"{self.path}: {remote.size_bytes} bytes instead of {self.size_bytes}"
        if remote.sha256 is not None:
            return None if remote.sha256 == self.sha256 else f"{self.path}: another sha256, {remote.sha256}"
        return None if remote.git_oid == self.git_oid else f"{self.path}: another git oid, {remote.git_oid}"


@dataclass(frozen=True)
class RemoteFile:
    """One file as the Hub lists it: LFS files carry a sha256, the others git's own sha1."""

    path: str
    size_bytes: int
    sha256: str | None
    git_oid: str


def sha256_of(path: Path) -> str:
    """Returns the sha256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digests(chunks: Iterable[bytes], *, size_bytes: int) -> tuple[str, str]:
    sha256 = hashlib.sha256()
    git = hashlib.sha1(b"blob %d\0" % size_bytes, usedforsecurity=False)
    for chunk in chunks:
        sha256.update(chunk)
        git.update(chunk)
    return sha256.hexdigest(), git.hexdigest()
