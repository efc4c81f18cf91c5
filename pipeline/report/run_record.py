"""A run's own record, put into ML Metadata when it ends, so that its report can always be made anew."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import ClassVar

from modules.record import Record

PACKAGES = (
    "tfx", "ml-metadata", "apache-beam", "tensorflow", "tensorflow-text", "keras", "keras-hub", "tokenizers", "numpy",
    "ctranslate2", "safetensors", "huggingface_hub",
)  # fmt: skip


class RunRecord(Record):
    """A run's own record; it lies in a custom property of the run's context, not in a file.

    Attributes:
        profile: its name or file.
        seconds: from the command to the end.
        log: path of the log file.
        graph: every component and those that it waits for.
        versions: of Python and the packages that a result depends on.
        failure: the message that the user saw when the run failed or was interrupted; None if it ended well.
        interrupted: whether the user ended it.
    """

    FILE: ClassVar[str] = "report"

    profile: str | None = None
    seconds: float | None = None
    log: str | None = None
    graph: Mapping[str, list[str]] = {}
    versions: Mapping[str, str] = {}
    failure: str | None = None
    interrupted: bool = False


def make_record(
    *,
    profile: str,
    seconds: float,
    log: str,
    graph: Mapping[str, Sequence[str]],
    failure: str | None,
    interrupted: bool = False,
) -> RunRecord:
    """Returns what to keep of a run.

    Args:
        profile: its name or file.
        seconds: from the command to here.
        log: path of the log file.
        graph: every component and those that it waits for.
        failure: what the user was told when it did not end well.
        interrupted: whether the user ended it.
    """
    return RunRecord(
        profile=profile,
        seconds=round(seconds, 3),
        log=log,
        graph={node_id: list(upstream) for node_id, upstream in graph.items()},
        versions=versions(),
        failure=failure,
        interrupted=interrupted and failure is not None,
    )


def versions() -> dict[str, str]:
    """Returns Python and the packages that a result depends on."""
    return {"python": platform.python_version(), **dict(_installed())}


def _installed() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:  # such as TensorFlow where JAX trains
            continue


def write_record(metadata: Path, run_id: str, record: RunRecord) -> bool:
    """Puts `record` into the run's context; False if the run never came to a component."""
    from ml_metadata import MetadataStore
    from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig, SqliteMetadataSourceConfig

    if not metadata.exists():
        return False
    store = MetadataStore(ConnectionConfig(sqlite=SqliteMetadataSourceConfig(filename_uri=str(metadata))))
    if "pipeline_run" not in {each.name for each in store.get_context_types()}:
        return False
    context = store.get_context_by_type_and_name("pipeline_run", run_id)
    if context is None:
        return False
    context.custom_properties[RunRecord.FILE].string_value = record.render()
    store.put_contexts([context])
    return True
