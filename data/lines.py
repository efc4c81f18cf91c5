"""Files as bytes and lines: plain or compressed, whole or an error."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO, Any, NamedTuple, cast

from backports import zstd

from data.errors import SourceError
from data.sources.addresses import open_binary

# Published corpora are packed with windows of up to 2 GiB (`zstd --long=31`); the default reads no more than 128 MiB.
_ZSTD_OPTIONS: Mapping[int, int] = {zstd.DecompressionParameter.window_log_max: 31}
_OPENERS: Mapping[str, Callable[[IO[bytes]], IO[bytes]]] = {
    ".gz": cast(Any, gzip.open),
    ".bz2": cast(Any, bz2.open),
    ".xz": cast(Any, lzma.open),
    ".zst": lambda file: cast(Any, zstd.open(file, options=_ZSTD_OPTIONS)),
}
_DAMAGE = (EOFError, OSError, lzma.LZMAError, zlib.error, zstd.ZstdError)
_BUFFER_BYTES = 1 << 20

COMPRESSIONS = tuple(_OPENERS)
COMPRESSED = f"{', '.join(COMPRESSIONS[:-1])} or {COMPRESSIONS[-1]}"  # for messages


class Line(NamedTuple):
    """A line of a file.

    Attributes:
        number: of the line, from 1.
        content: its bytes with their end, or the first of them if it is longer than allowed.
        length: bytes.
    """

    number: int
    content: bytes
    length: int

    @property
    def is_whole(self) -> bool:
        """Returns whether `content` is all of it."""
        return len(self.content) == self.length


def compression_of(address: str) -> str:
    """Returns the suffix of the compression, such as `.zst`; empty without one."""
    suffix = PurePosixPath(address).suffix.lower()
    return suffix if suffix in _OPENERS else ""


def kind_of(address: str) -> str:
    """Returns the suffix in front of the compression's, such as `.jsonl` of `rows.jsonl.zst`."""
    name = PurePosixPath(address).name
    return PurePosixPath(name.removesuffix(name[len(name) - len(compression_of(name)) :] or "\0")).suffix.lower()


@contextmanager
def opened(address: str, start: int = 0) -> Iterator[IO[bytes]]:
    """Yields the file's content, decompressed.

    Args:
        address: path or address of a file.
        start: first byte to read, of a file that is not compressed.

    Raises:
        SourceError: If the file is empty, or what is read in the block shows it damaged or cut.
        OSError: If it cannot be opened.
    """
    compression = compression_of(address)
    with open_binary(address) as file:
        if not _size(file):  # which gzip takes for an empty text
            raise SourceError(f"{address}: the file must hold something. Received: an empty file. Fetch it again.")
        try:
            if not compression:
                file.seek(start)
                yield file
                return
            with io.BufferedReader(cast(Any, _OPENERS[compression](file)), _BUFFER_BYTES) as content:
                yield cast(IO[bytes], content)
        except _DAMAGE as error:
            # An error with a number is the disk's, and without a compression there is nothing to be damaged.
            if not compression or (isinstance(error, OSError) and error.errno is not None):
                raise
            raise SourceError(
                f"{address}: the {compression} file must be whole. Received: {error}. "
                "It is cut or damaged: fetch it again, or compress it anew."
            ) from error


def read_lines(
    address: str, *, start: int = 0, end: int | None = None, first_line: int = 1, max_bytes: int = 64 << 20
) -> Iterator[Line]:
    """Yields the lines of a file with their ends, blank ones too.

    Args:
        address: path or address of a file, plain or compressed.
        start: byte at which a line starts; of a plain file.
        end: a line that starts there or later is not read.
        first_line: number of the first line.
        max_bytes: of a longer line only so much is kept, and the rest passed over.

    Raises:
        SourceError: If the file is empty, damaged or cut.
    """
    with opened(address, start) as file:
        at, number = start, first_line
        while (end is None or at < end) and (content := file.readline(max_bytes)):
            length = len(content)
            last = content
            while not last.endswith(b"\n") and len(last) == max_bytes and (last := file.readline(max_bytes)):
                length += len(last)
            yield Line(number, content, length)
            at, number = at + length, number + 1


def _size(file: IO[bytes]) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size
