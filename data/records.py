"""TFRecord framing and `tf.train.Example`, without importing TensorFlow.

A record is `length (uint64) | crc(length) | payload | crc(payload)`, little-endian, with CRC-32C masked as in
tensorflow/core/lib/hash/crc32c.h. The payload is a `tf.train.Example`; the message built below has the wire
format of tensorflow/core/example/{example,feature}.proto. TensorFlow itself would cost seconds of start-up
here, and its reader neither names the damaged record nor reads on behind it.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import google_crc32c
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")
_HEADER_BYTES = _LENGTH.size + _CRC.size
_GZIP_MAGIC = b"\x1f\x8b"
_MASK_DELTA = 0xA282EAD8

# field number and type of each alternative in tf.train.Feature's `kind`
_LISTS = (
    ("bytes_list", 1, "BytesList", descriptor_pb2.FieldDescriptorProto.TYPE_BYTES),
    ("float_list", 2, "FloatList", descriptor_pb2.FieldDescriptorProto.TYPE_FLOAT),
    ("int64_list", 3, "Int64List", descriptor_pb2.FieldDescriptorProto.TYPE_INT64),
)


class Damage(NamedTuple):
    """A stand-in for a record that is not intact."""

    reason: str
    ends_file: bool  # the frame itself is damaged, so the next record cannot be located


def _example_file() -> descriptor_pb2.FileDescriptorProto:
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="wire", syntax="proto3")
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for name, number, message, kind in _LISTS:
        values = file.message_type.add(name=message)
        values.field.add(name="value", number=1, label=field.LABEL_REPEATED, type=kind)
        feature.field.add(
            name=name, number=number, label=field.LABEL_OPTIONAL, type=field.TYPE_MESSAGE,
            type_name=f".wire.{message}", oneof_index=0,
        )  # fmt: skip
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=field.LABEL_OPTIONAL, type=field.TYPE_STRING)
    value = {"number": 2, "label": field.LABEL_OPTIONAL, "type": field.TYPE_MESSAGE}
    entry.field.add(name="value", type_name=".wire.Feature", **value)
    features.field.add(
        name="feature", number=1, label=field.LABEL_REPEATED, type=field.TYPE_MESSAGE,
        type_name=".wire.Features.FeatureEntry",
    )  # fmt: skip
    example = file.message_type.add(name="Example")
    example.field.add(
        name="features", number=1, label=field.LABEL_OPTIONAL, type=field.TYPE_MESSAGE,
        type_name=".wire.Features",
    )  # fmt: skip
    return file


def _example_class() -> Any:
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_example_file())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("wire.Example"))


Example = _example_class()


def _masked_crc(payload: bytes) -> int:
    crc = google_crc32c.value(payload)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def write_record(file: BinaryIO, payload: bytes) -> None:
    """Appends one record to `file`."""
    length = _LENGTH.pack(len(payload))
    file.write(length + _CRC.pack(_masked_crc(length)) + payload + _CRC.pack(_masked_crc(payload)))


def read_records(path: Path) -> Iterator[bytes | Damage]:
    """Yields the payloads of `path` (plain or gzip) in order, with `Damage` in the place of each that is not intact.

    Reading goes on behind a payload with a wrong checksum; a cut or garbled frame ends the file.
    """
    with _open(path) as file:
        try:
            while (record := _read_record(file)) is not None:
                yield record
                if isinstance(record, Damage) and record.ends_file:
                    return
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            yield Damage(f"the gzip stream is damaged ({error})", ends_file=True)


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        compressed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    return cast(BinaryIO, gzip.open(path, "rb") if compressed else path.open("rb"))


def _read_record(file: BinaryIO) -> bytes | Damage | None:
    """Returns the next payload; None at the clean end of the file."""
    header = file.read(_HEADER_BYTES)
    if not header:
        return None
    if len(header) < _HEADER_BYTES:
        return Damage(f"the file is cut: {len(header)} of {_HEADER_BYTES} header bytes", ends_file=True)
    length_bytes = header[: _LENGTH.size]
    if _CRC.unpack(header[_LENGTH.size :])[0] != _masked_crc(length_bytes):
        return Damage("the length's checksum is wrong: not a TFRecord file, or garbled", ends_file=True)
    (length,) = _LENGTH.unpack(length_bytes)
    body = file.read(length + _CRC.size)
    if len(body) < length + _CRC.size:
        return Damage(f"the file is cut: {len(body)} of {length + _CRC.size} record bytes", ends_file=True)
    payload = body[:length]
    if _CRC.unpack(body[length:])[0] != _masked_crc(payload):
        return Damage("the payload's checksum is wrong", ends_file=False)
    return payload
