"""Contents of files, stored once by their sha256."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from hub.durable import locked, sync_folder
from hub.errors import DigestMismatchError, OutOfRoomError

STALE_UPLOAD_SECONDS = 24 * 3600


class BlobStore:
    """`<root>/blobs/ab/abcd…`, each written under `<root>/uploads/` first and then renamed.

    A blob's time is when it was last asked for by a change that may come to refer to it: what is younger than a day is
    never removed. `<root>/blobs.lock` keeps that time and a removal apart.
    """

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs"
        self._uploads = root / "uploads"
        self._lock = root / "blobs.lock"
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._uploads.mkdir(exist_ok=True)

    def path(self, sha256: str) -> Path:
        return self._blobs / sha256[:2] / sha256

    def size(self, sha256: str) -> int | None:
        """Bytes of the blob, or None where it is not stored."""
        try:
            return self.path(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def claim(self, sha256: str) -> int | None:
        """Bytes of the blob, which now stays for a day, so that a commit can refer to it; None where there is none."""
        with locked(self._lock, shared=True):
            try:
                os.utime(self.path(sha256))
            except FileNotFoundError:
                return None
            return self.size(sha256)

    def all(self) -> Iterator[tuple[str, os.stat_result]]:
        """Yields every blob's sha256 and status, one that goes away meanwhile left out."""
        for path in self._blobs.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):
                yield path.name, path.stat()

    def remove(self, sha256: str, *, unless_since: float) -> bool:
        """Deletes a blob unless it was claimed since that time; returns whether it was deleted."""
        path = self.path(sha256)
        with locked(self._lock):
            try:
                if path.stat().st_mtime >= unless_since:
                    return False
                path.unlink()
            except FileNotFoundError:
                return False
        return True

    def check_room(self, size: int) -> None:
        """Refuses `size` bytes that the disk has no room for, before any of them is sent."""
        free = shutil.disk_usage(self._uploads).free
        if size > free:
            raise OutOfRoomError(f"The Hub's disk has {free:,} bytes left. Received: a file of {size:,}")

    def put(self, content: bytes) -> str:
        """Stores `content` and returns its sha256."""
        with self.writer() as writer:
            writer.write(content)
            return writer.keep()

    def writer(self) -> BlobWriter:
        """Returns a blob to be written in pieces; nothing of it is visible until `keep`."""
        return BlobWriter(self, self._uploads / secrets.token_hex(16))

    def adopt(self, file: Path, sha256: str, *, expected_sha256: str) -> None:
        """Makes `file`, whose sha256 was found to be `sha256`, durable and visible as a blob.

        Raises:
            DigestMismatchError: the bytes are not those that were announced.
        """
        _check_digest(sha256, expected_sha256)
        if self.claim(sha256) is not None:
            return
        with file.open("rb") as content:
            os.fsync(content.fileno())
        self.place(file, sha256)

    def place(self, file: Path, sha256: str) -> None:
        """Makes `file`, which is on disk, visible as a blob."""
        target = self.path(sha256)
        target.parent.mkdir(exist_ok=True)
        os.utime(file)  # a long upload may be older than a day
        file.replace(target)
        sync_folder(target.parent)
        sync_folder(target.parent.parent)

    def remove_stale_uploads(self, *, older_than_seconds: float = STALE_UPLOAD_SECONDS) -> int:
        """Deletes what killed uploads left behind; returns how many."""
        limit = time.time() - older_than_seconds
        stale = [path for path in self._uploads.iterdir() if path.lstat().st_mtime < limit]
        for path in stale:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return len(stale)


class BlobWriter:
    """Writes one blob; leaving the context without `keep` forgets it."""

    def __init__(self, store: BlobStore, temporary: Path) -> None:
        self._store = store
        self._temporary = temporary
        self._digest = hashlib.sha256()
        self.size = 0

    def __enter__(self) -> Self:
        self._file = self._temporary.open("xb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()  # writes what is buffered, which a full disk refuses
        finally:
            self._temporary.unlink(missing_ok=True)

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self._digest.update(chunk)
        self.size += len(chunk)

    def keep(self, *, expected_sha256: str | None = None) -> str:
        """Makes the blob durable and visible; returns its sha256.

        Raises:
            DigestMismatchError: the bytes are not those that were announced.
        """
        sha256 = self._digest.hexdigest()
        _check_digest(sha256, expected_sha256)
        if self._store.claim(sha256) is not None:
            return sha256
        self._file.flush()
        os.fsync(self._file.fileno())
        self._store.place(self._temporary, sha256)
        return sha256


def _check_digest(sha256: str, expected: str | None) -> None:
    if expected is not None and sha256 != expected:
        raise DigestMismatchError(f"The content does not match its sha256. Received: {sha256}, announced: {expected}")
