"""The metadata store between runs: nothing half-written is ever reused.

A component's results are reused only if its execution is recorded as complete, so a run that was killed
leaves no result behind; but it leaves folders and a record that says RUNNING. :func:`tidy` removes both, and
forgets artifacts whose folders somebody deleted, which TFX would otherwise serve from cache.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.report.store import ENDED, End, without_query

if TYPE_CHECKING:
    from ml_metadata import MetadataStore

logger = logging.getLogger(__name__)


class StoreError(PipelineError):
    """ML Metadata cannot read or write its file."""


def tidy(metadata_path: Path, pipeline_root: Path, *, ended: End | None) -> None:
    """Marks what is unfinished as failed and removes its folders; marks what is gone as deleted.

    Args:
        metadata_path: the SQLite file.
        pipeline_root: folder of the artifacts.
        ended: what ended the unfinished executions; None for an error.

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
        _fail_unfinished(store, pipeline_root, ended)
        _forget_missing(store)
    except (errors.StatusError, RuntimeError) as error:  # the second one if the file is no database
        raise StoreError(
            f"ML Metadata must be able to use its file. Received: {metadata_path}; {without_query(error)}. "
            f"Remove {metadata_path.parent} and {pipeline_root}, or choose another --output-dir."
        ) from error


def _fail_unfinished(store: MetadataStore, pipeline_root: Path, ended: End | None) -> None:
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
        if ended:
            execution.custom_properties[ENDED].string_value = ended
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
