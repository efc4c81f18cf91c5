"""What only the run itself knows, put into ML Metadata when it ends, so that its report can always be made anew."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipeline.report.store import RECORD

PACKAGES = (
    "tfx", "ml-metadata", "apache-beam", "tensorflow", "tensorflow-text", "keras", "keras-hub", "tokenizers", "numpy",
    "ctranslate2", "safetensors", "huggingface_hub",
)  # fmt: skip


def make_record(
    *,
    profile: str,
    seconds: float,
    log: str,
    graph: Mapping[str, Sequence[str]],
    failure: str | None,
    interrupted: bool = False,
) -> dict[str, Any]:
    """What to keep of a run.

    Args:
        profile: its name or file.
        seconds: from the command to here.
        log: path of the log file.
        graph: every component and those that it waits for.
        failure: what the user was told when it did not end well.
        interrupted: whether the user ended it.
    """
    record: dict[str, Any] = {"profile": profile, "seconds": round(seconds, 3), "log": log}
    record |= {"graph": {node_id: list(upstream) for node_id, upstream in graph.items()}, "versions": versions()}
    return record | ({"failure": failure, "interrupted": interrupted} if failure else {})


def versions() -> dict[str, str]:
    """Python and the packages that a result depends on."""
    return {"python": platform.python_version(), **dict(_installed())}


def _installed() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:  # such as TensorFlow where JAX trains
            continue


def write_record(metadata: Path, run_id: str, record: Mapping[str, Any]) -> bool:
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
    context.custom_properties[RECORD].string_value = json.dumps(record, ensure_ascii=False)
    store.put_contexts([context])
    return True
