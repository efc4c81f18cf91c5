"""Large files that arrive as chunks, as clients with `hf_xet` send them; they are put together at once, stored whole.

uploads/xet-<session>/<hash>    a xorb that has arrived

A session lasts for one upload and shares nothing with others: a client that remembers chunks of earlier ones would
leave them out, and rely on what may have been removed since. Its files are described all at once; a client that does
so in several parts, as it may beyond some 80 GB, is refused.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from hub.blobs import BlobStore, BlobWriter
from hub.errors import InvalidRequestError
from hub.shards import ChunkedFile, Run
from hub.xorbs import Xorb, read_xorb


class ChunkedUploads:
    """The uploads in chunks under way."""

    def __init__(self, blobs: BlobStore, folder: Path) -> None:
        self._blobs = blobs
        self._folder = folder

    def add_xorb(self, session: str, name: str, content: bytes) -> bool:
        """Keeps a xorb until its session's files are put together; gives whether it is new.

        Raises:
            InvalidRequestError: the content is not a xorb.
        """
        self._blobs.check_room(2 * len(content))  # for now, and for the files made of it
        folder = self._session(session)
        folder.mkdir(exist_ok=True)
        path, arriving = folder / name, folder / secrets.token_hex(16)
        if path.exists():
            return False
        try:
            arriving.write_bytes(content)
            read_xorb(arriving)
            arriving.rename(path)
        finally:
            arriving.unlink(missing_ok=True)
        return True

    def assemble(self, session: str, files: Iterable[ChunkedFile], *, was_sent: Callable[[str], bool]) -> list[str]:
        """Stores each file as a blob, and forgets the session's xorbs; gives the sha256 of each.

        Args:
            session: of the upload.
            files: what to make of its xorbs.
            was_sent: whether the file of a sha256 was sent to this repository before: then the answer was lost, and the
                xorbs are gone.

        Raises:
            InvalidRequestError: a xorb has not arrived, or has not the chunks.
            DigestMismatchError: the chunks are not those of the file that was announced.
        """
        xorbs: dict[str, Xorb] = {}
        stored = []
        for file in files:
            if file.sha256 is not None and not self._session(session).exists() and was_sent(file.sha256):
                stored.append(file.sha256)
            else:
                stored.append(self._store(session, file, xorbs))
        shutil.rmtree(self._session(session), ignore_errors=True)
        return stored

    def _store(self, session: str, file: ChunkedFile, xorbs: dict[str, Xorb]) -> str:
        self._blobs.check_room(file.size)
        with self._blobs.writer() as writer:
            for run in file.runs:
                if run.xorb not in xorbs:
                    xorbs[run.xorb] = self._xorb(session, run.xorb)
                _write_run(writer, run, xorbs[run.xorb])
            return writer.keep(expected_sha256=file.sha256)

    def _xorb(self, session: str, name: str) -> Xorb:
        try:
            return read_xorb(self._session(session) / name)
        except FileNotFoundError as error:
            raise InvalidRequestError(f"The xorb {name} must be uploaded first.") from error

    def _session(self, session: str) -> Path:
        return self._folder / f"xet-{session}"


def _write_run(writer: BlobWriter, run: Run, xorb: Xorb) -> None:
    before = writer.size
    for chunk in xorb.read(run.start, run.end):
        writer.write(chunk)
    if writer.size - before != run.size:
        raise InvalidRequestError(
            f"Chunks {run.start} to {run.end} of xorb {run.xorb} have {run.size} bytes."
            f" Received: {writer.size - before}"
        )
