"""Chunks as the client's Xet uploads send them, some sixty megabytes of them in one file, a xorb.

Each chunk has a header of eight bytes (version, 0; bytes as sent, in three; how they were compressed; bytes of the
chunk, in three; little-endian), and a footer may follow the last one.
Source: https://huggingface.co/docs/xet/xorb
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from hub.errors import InvalidRequestError

MAX_XORB_BYTES: Final = 64 * 1024 * 1024 + 1024 * 1024  # of chunks, and a footer
MAX_CHUNK_BYTES: Final = 1024 * 1024
_HEADER_BYTES: Final = 8
_FOOTER: Final = b"XETBLOB"
_AS_IT_IS, _LZ4, _LZ4_BY_GROUPS_OF_FOUR = range(3)


@dataclass(frozen=True)
class Chunk:
    """The position of a chunk in its xorb."""

    offset: int  # bytes from the xorb's start
    sent_bytes: int
    compression: int
    size: int  # bytes


@dataclass(frozen=True)
class Xorb:
    """A xorb that has arrived, and its chunks in their order."""

    path: Path
    chunks: tuple[Chunk, ...]

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """Yields the chunks from number `start` up to, not including, `end`."""
        with self.path.open("rb") as file:
            for chunk in self.chunks[start:end]:
                file.seek(chunk.offset)
                yield _restored(file.read(chunk.sent_bytes), chunk)


def read_xorb(path: Path) -> Xorb:
    """Finds the chunks of a xorb.

    Raises:
        InvalidRequestError: the file is not a xorb.
    """
    chunks: list[Chunk] = []
    size, offset = path.stat().st_size, 0
    with path.open("rb") as file:
        while header := file.read(_HEADER_BYTES):
            if header.startswith(_FOOTER):
                break
            chunk = _chunk(header, offset + _HEADER_BYTES)
            offset = chunk.offset + chunk.sent_bytes
            if offset > size:
                raise InvalidRequestError(f"A chunk lies within its xorb of {size} bytes. Received: one to {offset}")
            file.seek(offset)
            chunks.append(chunk)
    return Xorb(path, tuple(chunks))


def _chunk(header: bytes, offset: int) -> Chunk:
    sent_bytes, size = int.from_bytes(header[1:4], "little"), int.from_bytes(header[5:8], "little")
    if len(header) < _HEADER_BYTES or header[0] != 0 or size > MAX_CHUNK_BYTES:
        raise InvalidRequestError(
            f"A chunk of a xorb has a header of version 0 and up to {MAX_CHUNK_BYTES} bytes. Received: {header.hex()}"
        )
    return Chunk(offset, sent_bytes, header[4], size)


def _restored(sent: bytes, chunk: Chunk) -> bytes:
    """Returns the chunk's own bytes."""
    if chunk.compression == _AS_IT_IS:
        content = sent
    elif chunk.compression == _LZ4:
        content = _decompressed(sent, chunk.size)
    elif chunk.compression == _LZ4_BY_GROUPS_OF_FOUR:
        content = _ungrouped(_decompressed(sent, chunk.size))
    else:
        raise InvalidRequestError(f"A chunk is compressed in way 0, 1 or 2. Received: {chunk.compression}")
    if len(content) != chunk.size:
        raise InvalidRequestError(f"A chunk has the bytes that its header says, {chunk.size}. Received: {len(content)}")
    return content


def _decompressed(sent: bytes, size: int) -> bytes:
    import pyarrow  # a third of a second to import: only where something was compressed

    try:
        content: bytes = pyarrow.decompress(sent, decompressed_size=size, codec="lz4", asbytes=True)
    except (OSError, ValueError) as error:
        raise InvalidRequestError(f"A chunk could not be decompressed ({error}).") from error
    return content


def _ungrouped(grouped: bytes) -> bytes:
    """Puts back what stands sorted by position modulo four: all first bytes, all second bytes, and so on."""
    source, content = np.frombuffer(grouped, np.uint8), np.empty(len(grouped), np.uint8)
    start = 0
    for position in range(4):
        places = content[position::4]
        places[:] = source[start : start + len(places)]
        start += len(places)
    return content.tobytes()
