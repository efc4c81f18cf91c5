"""Reads a client's Xet upload: of which chunks of which xorbs each file is made.

A shard is a sequence of blocks of 48 bytes, little-endian. Each file has a header, an entry for each run of chunks,
and, where flags say so, as many blocks of verification and one with its sha256.
Source: https://huggingface.co/docs/xet/shard
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hub.errors import InvalidRequestError

MAX_SHARD_BYTES: Final = 64 * 1024 * 1024 + 1024 * 1024
_MAGIC: Final = b"HFRepoMetaData\0UigEj{\x81W\x83\xa5\xbd\xd9\\\xcd\xd1J\xa9"
_VERSION: Final = 2
_BLOCK_BYTES: Final = 48
_END_OF_FILES: Final = b"\xff" * 32
_HAS_VERIFICATION: Final = 1 << 31
_HAS_SHA256: Final = 1 << 30


@dataclass(frozen=True)
class Run:
    """Chunks of one xorb that follow each other."""

    xorb: str
    start: int  # number of the first chunk
    end: int  # number after the last chunk
    size: int  # bytes


@dataclass(frozen=True)
class ChunkedFile:
    """A file as a sequence of runs."""

    runs: tuple[Run, ...]
    sha256: str | None

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return sum(run.size for run in self.runs)


def read_shard(content: bytes) -> list[ChunkedFile]:
    """Returns the files that a shard describes.

    Raises:
        InvalidRequestError: the content is not a shard.
    """
    if not content.startswith(_MAGIC + _VERSION.to_bytes(8, "little")):
        raise InvalidRequestError(
            f"A shard begins with its mark and version {_VERSION}. Received: {content[:40].hex()}"
        )
    try:
        return list(_files(_blocks(content)))
    except (StopIteration, RuntimeError, struct.error) as error:
        raise InvalidRequestError(f"A shard ends after its files. Received: one of {len(content)} bytes") from error


def _blocks(content: bytes) -> Iterator[bytes]:
    for offset in range(_BLOCK_BYTES, len(content), _BLOCK_BYTES):
        yield content[offset : offset + _BLOCK_BYTES]


def _files(blocks: Iterator[bytes]) -> Iterator[ChunkedFile]:
    while not (header := next(blocks)).startswith(_END_OF_FILES):
        flags, entries = struct.unpack_from("<II", header, 32)
        runs = tuple(_run(next(blocks)) for _ in range(entries))
        for _ in range(entries if flags & _HAS_VERIFICATION else 0):
            next(blocks)
        yield ChunkedFile(runs, _hash(next(blocks)) if flags & _HAS_SHA256 else None)


def _run(block: bytes) -> Run:
    _flags, size, start, end = struct.unpack_from("<IIII", block, 32)
    return Run(_hash(block), start, end, size)


def _hash(block: bytes) -> str:
    """Returns a hash in Xet's spelling: four numbers of eight bytes."""
    return "".join(f"{number:016x}" for number in struct.unpack_from("<4Q", block))
