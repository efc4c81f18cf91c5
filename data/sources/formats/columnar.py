"""Parquet and Arrow files, read a batch of rows at a time."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from data.errors import SourceError
from data.lines import compression_of, kind_of, opened
from data.sources.formats.format import FileFormat
from data.sources.items import Item, Malformed, Part, ReadSettings, Record

_ROWS = 1024  # that are Python objects at a time
_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"


def read(part: Part, settings: ReadSettings) -> Iterator[Item]:
    """Yields the rows; one with a text that is no UTF-8, as `Malformed`.

    Raises:
        SourceError: If the file is no Parquet or Arrow file, or is damaged or cut.
    """
    import pyarrow as pa

    batches = _parquet_batches if kind_of(part.address) == ".parquet" else _arrow_batches
    row = 0
    with _seekable(part.address) as file:
        try:
            for batch in batches(file):
                for start in range(0, batch.num_rows, _ROWS):
                    piece = batch.slice(start, _ROWS)
                    yield from _rows(piece, part, row)
                    row += piece.num_rows
        except (pa.ArrowInvalid, pa.ArrowException, OSError, EOFError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            kind = kind_of(part.address).removeprefix(".")
            raise SourceError(
                f"{part.name}, after row {row}: the file must be whole and of the format {kind}. Received: {error}. "
                "It is cut or damaged: fetch it again."
            ) from error


def _parquet_batches(file: IO[bytes]) -> Iterator[Any]:
    from pyarrow import parquet

    yield from parquet.ParquetFile(file, page_checksum_verification=True).iter_batches(_ROWS)


def _arrow_batches(file: IO[bytes]) -> Iterator[Any]:
    """Yields the batches of a file in Arrow's file or stream form."""
    from pyarrow import ipc

    is_file = file.read(6) == b"ARROW1"
    file.seek(0)
    if is_file:
        reader = ipc.open_file(file)
        yield from (reader.get_batch(index) for index in range(reader.num_record_batches))
        return
    yield from ipc.open_stream(file)
    # The reader takes a stream that is cut between two batches for a whole one.
    file.seek(-len(_END_OF_STREAM), 2)
    if file.read() != _END_OF_STREAM:
        raise EOFError("a stream without its end mark")


def _rows(batch: Any, part: Part, first: int) -> Iterator[Item]:
    try:
        yield from (Record(f"{part.name}, row {first + n}", row) for n, row in enumerate(batch.to_pylist()))
    except UnicodeDecodeError:
        for n in range(batch.num_rows):
            yield _row(batch.slice(n, 1), f"{part.name}, row {first + n}")


def _row(batch: Any, location: str) -> Item:
    try:
        return Record(location, batch.to_pylist()[0])
    except UnicodeDecodeError as error:
        problem = f"The text must be UTF-8. Received: byte 0x{error.object[error.start]:02x} at {error.start}."
        return Malformed(location, problem, bytes(error.object).decode("utf-8", "backslashreplace"))


@contextmanager
def _seekable(address: str) -> Iterator[IO[bytes]]:
    """Yields the content; of a compressed file, a decompressed copy."""
    with opened(address) as file:
        if not compression_of(address):
            yield file
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(file, copy)
            copy.seek(0)
            yield copy


FORMAT = FileFormat((".parquet", ".arrow"), read)
