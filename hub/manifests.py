"""Contents of a revision: an immutable JSON manifest per commit, named by its own digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"


@dataclass(frozen=True)
class FileEntry:
    """One file of a revision: `oid` is what git calls it, `sha256` where its bytes are."""

    oid: str
    size: int  # bytes
    sha256: str
    lfs: bool

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.oid

    @property
    def pointer_size(self) -> int:
        """Bytes of the git-lfs pointer that stands for the file in git."""
        return len(LFS_POINTER.format(sha256=self.sha256, size=self.size))


@dataclass(frozen=True)
class Commit:
    """A whole revision."""

    title: str
    description: str
    author: str
    created_at: str  # UTC, ISO 8601
    parent: str | None
    files: Mapping[str, FileEntry]

    @cached_property
    def oid(self) -> str:
        return hashlib.sha1(b"hub commit\0" + self.encode(), usedforsecurity=False).hexdigest()

    def large_files(self) -> Iterator[tuple[str, FileEntry]]:
        """Paths and entries of the files that are stored as large ones."""
        return ((path, entry) for path, entry in self.files.items() if entry.lfs)

    def encode(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, indent=1).encode()

    @classmethod
    def decode(cls, content: bytes) -> Commit:
        fields: dict[str, Any] = json.loads(content)
        files = {path: FileEntry(**entry) for path, entry in fields.pop("files").items()}
        return cls(**fields, files=files)


def regular_entry(content: bytes, sha256: str) -> FileEntry:
    return FileEntry(oid=_git_oid(content), size=len(content), sha256=sha256, lfs=False)


def lfs_entry(sha256: str, size: int) -> FileEntry:
    pointer = LFS_POINTER.format(sha256=sha256, size=size).encode()
    return FileEntry(oid=_git_oid(pointer), size=size, sha256=sha256, lfs=True)


def folder_oid(files: Mapping[str, FileEntry], folder: str) -> str:
    """Returns a digest of everything under `folder`; equal contents have equal digests."""
    prefix = f"{folder}/"
    listing = "\n".join(f"{path} {files[path].oid}" for path in sorted(files) if path.startswith(prefix))
    return hashlib.sha1(listing.encode(), usedforsecurity=False).hexdigest()


def _git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
