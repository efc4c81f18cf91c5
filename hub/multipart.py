"""Large objects that arrive in parts: each is written at its place in one file, which is checked as a whole at the end.

uploads/parts-<upload>/content     the object, with gaps until all parts are there
uploads/parts-<upload>/<number>    the sha256 of a part that has arrived
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from hub.blobs import BlobStore
from hub.errors import DigestMismatchError, EntryNotFoundError, InvalidRequestError

DEFAULT_PART_BYTES: Final = 64 * 1024 * 1024
PARTS_AT_LEAST: Final = 4  # objects of fewer parts come in one piece
_READ_BYTES: Final = 1024 * 1024


class MultipartUploads:
    """The uploads in parts under way; an upload is named by the signature of its links."""

    def __init__(self, blobs: BlobStore, folder: Path, *, part_bytes: int = DEFAULT_PART_BYTES) -> None:
        self._blobs = blobs
        self._folder = folder
        self.part_bytes = part_bytes

    def part_count(self, size: int) -> int:
        """Returns how many parts an object of `size` bytes has; 1 for one that comes in one piece."""
        parts = -(-size // self.part_bytes)
        return parts if parts >= PARTS_AT_LEAST else 1

    def part(self, upload: str, *, size: int, number: int) -> PartWriter:
        """Returns the writer for part `number` (from 1) of an object of `size` bytes.

        Raises:
            InvalidRequestError: the object has no such part.
        """
        if not 1 <= number <= self.part_count(size):
            raise InvalidRequestError(f"The object has parts 1 to {self.part_count(size)}. Received: part {number}")
        offset = (number - 1) * self.part_bytes
        return PartWriter(self._upload(upload), number, offset, limit=min(self.part_bytes, size - offset))

    def complete(self, upload: str, *, sha256: str, size: int, etags: Mapping[int, str]) -> None:
        """Makes the object of all its parts; one that is there already is complete.

        Raises:
            EntryNotFoundError: a part has not arrived.
            DigestMismatchError: the parts are not those that arrived, or together are not the object.
        """
        folder = self._upload(upload)
        if not folder.is_dir() and self._blobs.claim(sha256) == size:
            return
        arrived = {int(path.name): path.read_text() for path in folder.glob("[0-9]*")}
        missing = sorted(set(range(1, self.part_count(size) + 1)) - set(arrived))
        if missing:
            raise EntryNotFoundError(f"Parts of the object have not arrived: {', '.join(map(str, missing[:10]))}")
        if dict(etags) != arrived:
            raise DigestMismatchError("The parts named are not those that arrived.")
        self._blobs.adopt(folder / "content", _sha256_of(folder / "content"), expected_sha256=sha256)
        shutil.rmtree(folder)

    def _upload(self, upload: str) -> Path:
        return self._folder / f"parts-{upload}"


class PartWriter:
    """Writes one part; it counts only after `keep`."""

    def __init__(self, folder: Path, number: int, offset: int, *, limit: int) -> None:
        self._folder = folder
        self._number = number
        self._offset = offset
        self._digest = hashlib.sha256()
        self.limit = limit  # bytes of this part
        self.size = 0

    def __enter__(self) -> Self:
        self._folder.mkdir(exist_ok=True)
        self._descriptor = os.open(self._folder / "content", os.O_RDWR | os.O_CREAT, 0o644)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def write(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            written = os.pwrite(self._descriptor, view, self._offset + self.size)
            self._digest.update(view[:written])
            self.size += written
            view = view[written:]

    def keep(self) -> str:
        """Notes that the part has arrived; gives its sha256."""
        digest = self._digest.hexdigest()
        (self._folder / str(self._number)).write_text(digest)
        return digest


def _sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
