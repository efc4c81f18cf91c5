"""The metadata store between runs: one run at a time, and nothing half-written is ever reused.

A component's results are reused only if its execution is recorded as complete, so a run that was killed
leaves no result behind; but it leaves folders and a record that says RUNNING. :func:`tidy` removes both, and
forgets artifacts whose folders somebody deleted, which TFX would otherwise serve from cache.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pipeline.errors import PipelineError, RunLockedError

if TYPE_CHECKING:
    from ml_metadata import MetadataStore

logger = logging.getLogger(__name__)

LOCK_POLL_SECONDS = 0.5


class StoreError(PipelineError):
    """ML Metadata cannot read or write its file."""


@contextmanager
def exclusive(lock: Path, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Holds `lock` while active; the system releases it even if the process is killed.

    Raises:
        RunLockedError: If another process still holds it after `wait_seconds`.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_seconds
    with lock.open("a+") as file:
        while not (locked := _locked(file)) and time.monotonic() < deadline:
            time.sleep(LOCK_POLL_SECONDS)
        if not locked:
            file.seek(0)
            raise RunLockedError(
                "Only one run at a time may write to an output folder. "
                f"Received: {lock.parent} is in use by process {file.read().strip() or 'unknown'}. "
                "Wait for it, or choose another --output-dir."
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _locked(file: TextIO) -> bool:
    """Locks `file`, unless another process has."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def tidy(metadata_path: Path, pipeline_root: Path) -> None:
    """Marks what is unfinished as failed and removes its folders; marks what is gone as deleted.

    Raises:
        StoreError: If ML Metadata cannot read or write its file.
    """
    if not metadata_path.exists():
        return
    from ml_metadata import MetadataStore, errors
    from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig, SqliteMetadataSourceConfig

    connection = ConnectionConfig(sqlite=SqliteMetadataSourceConfig(filename_uri=str(metadata_path)))
    try:
        store = MetadataStore(connection)
        _fail_unfinished(store, pipeline_root)
        _forget_missing(store)
    except errors.StatusError as error:
        raise StoreError(
            f"ML Metadata must be able to use its file. Received: {metadata_path}; {error}. "
            f"Remove {metadata_path.parent} and {pipeline_root}, or choose another --output-dir."
        ) from error


def _fail_unfinished(store: MetadataStore, pipeline_root: Path) -> None:
    from ml_metadata.proto.metadata_store_pb2 import Execution

    unfinished = [
        execution
        for execution in store.get_executions()
        if execution.last_known_state in (Execution.NEW, Execution.RUNNING)
    ]
    for execution in unfinished:
        for folder in (
            *pipeline_root.glob(f"*/*/{execution.id}"),
            *pipeline_root.glob(f"*/.system/*/{execution.id}"),
        ):
            logger.info("Removing %s: its run did not finish", folder)
            shutil.rmtree(folder)
        execution.last_known_state = Execution.FAILED
    store.put_executions(unfinished)


def _forget_missing(store: MetadataStore) -> None:
    from ml_metadata.proto.metadata_store_pb2 import Artifact

    missing = [
        artifact
        for artifact in store.get_artifacts()
        if artifact.state == Artifact.LIVE and artifact.uri.startswith("/") and not Path(artifact.uri).exists()
    ]
    for artifact in missing:
        logger.info("Forgetting %s: it is gone", artifact.uri)
        artifact.state = Artifact.DELETED
    store.put_artifacts(missing)
