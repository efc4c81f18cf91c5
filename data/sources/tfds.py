"""Data sets of TensorFlow Datasets: `tfds:NAME[/CONFIG][:VERSION]`, all of their splits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from data.errors import SourceError
from data.origin import MANIFEST, Origin, parse_origin
from data.sources.items import Item, Malformed, Part, Planned, ReadSettings, Record, SourceKind

PREFIX = "tfds:"


def plan(address: str, settings: ReadSettings) -> Planned:
    """Prepares the data set, unless it is, and returns a part per split; TFDS_DATA_DIR names the folder.

    Raises:
        SourceError: If TFDS is not installed, or has no such data set.
    """
    builder = _builder(address)
    builder.download_and_prepare()
    name = f"{PREFIX}{builder.info.full_name}"
    parts = tuple(
        Part(KIND.name, f"{name}, {split}", address, details={"split": split}) for split in builder.info.splits
    )
    facts = tuple(
        {"name": f"{name}, {split}", "rows": info.num_examples, "bytes": info.num_bytes}
        for split, info in builder.info.splits.items()
    )
    manifest = builder.data_path / MANIFEST
    origin = parse_origin(manifest.read_bytes(), str(manifest)) if manifest.exists() else Origin(sources=(name,))
    return Planned(parts, facts, origin)


def read(part: Part, settings: ReadSettings) -> Iterator[Item]:
    """Yields the examples of a split, with texts for bytes."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    # One file after the other: the order is the same at every reading.
    config = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    dataset = _builder(part.address).as_dataset(split=part.details["split"], shuffle_files=False, read_config=config)
    tf.get_logger().setLevel("ERROR")
    for number, example in enumerate(tfds.as_numpy(dataset)):
        location = f"{part.name}, row {number}"
        try:
            yield Record(location, {name: _plain(value) for name, value in example.items()})
        except UnicodeDecodeError as error:
            raw = repr(dict(example.items()))
            yield Malformed(location, f"The text must be UTF-8. Received: byte 0x{error.object[error.start]:02x}.", raw)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value


def _builder(address: str) -> Any:
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise SourceError(
            f"A data set of TFDS needs the extra datasets. Received: {address} without it. Run `make setup`."
        ) from error
    name = address.removeprefix(PREFIX)
    try:
        return tfds.builder(name)
    except (tfds.core.DatasetNotFoundError, AssertionError, ValueError) as error:
        raise SourceError(
            f"A data set of TFDS must exist. Received: {address}; {str(error).splitlines()[0]}. Correct the name."
        ) from error


KIND = SourceKind("tfds", lambda address: address.startswith(PREFIX), plan, read)
