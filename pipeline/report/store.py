"""Runs and components in ML Metadata, as plain data."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import PipelineError
from pipeline.layout import LOCK, log_path, metadata_path, pipeline_root
from pipeline.report.run_record import RunRecord
from pipeline.run_lock import is_held

if TYPE_CHECKING:
    from ml_metadata import MetadataStore

# Custom property of an execution that did not end by itself: what ended it. A kill is noted by the next run, so the
# execution's last update is not its end.
ENDED = "__ended"
End = Literal["interrupted", "killed"]
QUERY = re.compile(r"Error when executing query: (.*?) query: .*", re.DOTALL)


class RunNotFoundError(PipelineError, LookupError):
    """There is no such run, or no run at all."""


class StoreUnreadableError(PipelineError):
    """ML Metadata cannot read its file."""


@dataclass(frozen=True)
class StoredArtifact:
    """An artifact; `live` is False once somebody deleted its files and a later run noticed."""

    id: int
    type: str
    uri: str
    live: bool
    properties: Mapping[str, Any]


@dataclass(frozen=True)
class StoredNode:
    """The last execution of a component within a run."""

    node_id: str
    execution_id: int
    state: str  # ML Metadata's name: COMPLETE, CACHED, FAILED, RUNNING, …
    started_ms: int
    ended_ms: int
    properties: Mapping[str, Any]
    inputs: Mapping[str, tuple[StoredArtifact, ...]]
    outputs: Mapping[str, tuple[StoredArtifact, ...]]
    made_by_run: str | None = None  # of a cached result

    def output(self, key: str) -> StoredArtifact | None:
        """Returns the only artifact under `key`."""
        return next(iter(self.outputs.get(key, ())), None)


@dataclass(frozen=True)
class StoredRun:
    """One run of one pipeline.

    Attributes:
        record: what it noted of itself at its end; None if it has not ended, or was killed.
        pipeline_root: folder of the artifacts.
        is_active: whether it is going on.
        logged_ms: when it last wrote to its log; None if the log is gone.
    """

    pipeline_name: str
    run_id: str
    nodes: tuple[StoredNode, ...]
    pipeline_root: Path
    record: RunRecord | None = None
    is_active: bool = False
    logged_ms: int | None = None

    def node(self, node_id: str) -> StoredNode | None:
        """Returns a component by its id; None if the run has none or did not come to it."""
        return next((node for node in self.nodes if node.node_id == node_id), None)


@dataclass(frozen=True)
class RunName:
    """The name by which a run is found."""

    pipeline_name: str
    run_id: str
    created_ms: int


class Store:
    """The metadata store of one pipeline, opened for reading."""

    def __init__(self, path: Path, pipeline_name: str) -> None:
        """Opens `path`.

        Raises:
            StoreUnreadableError: If ML Metadata cannot.
        """
        from ml_metadata import MetadataStore, errors
        from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig, SqliteMetadataSourceConfig

        self.pipeline_name = pipeline_name
        self._path = path
        connection = SqliteMetadataSourceConfig(
            filename_uri=str(path), connection_mode=SqliteMetadataSourceConfig.READONLY
        )
        try:
            self._store: MetadataStore = MetadataStore(ConnectionConfig(sqlite=connection))
            self._store.get_context_types()
        except (errors.StatusError, RuntimeError) as error:  # the second one if the file is no database
            reason = without_query(error)
            raise StoreUnreadableError(
                f"ML Metadata must be able to read its file. Received: {path}; {reason}. "
                "Choose another --output-dir, or restore the file."
            ) from error

    def runs(self) -> list[RunName]:
        """Returns all runs that started a component, oldest first."""
        contexts = self._contexts("pipeline_run")
        names = [RunName(self.pipeline_name, each.name, each.create_time_since_epoch) for each in contexts]
        return sorted(names, key=lambda name: (name.created_ms, name.run_id))

    def read(self, run_id: str) -> StoredRun:
        """Returns one run with all its components."""
        context = self._store.get_context_by_type_and_name("pipeline_run", run_id)
        latest: dict[str, Any] = {}
        for execution in sorted(self._store.get_executions_by_context(context.id), key=lambda each: each.id):
            if execution.id in self._node_ids:
                latest[self._node_ids[execution.id]] = execution
        nodes = [self._node(node_id, execution, run_id) for node_id, execution in latest.items()]
        in_order = tuple(sorted(nodes, key=lambda node: node.execution_id))
        return StoredRun(
            self.pipeline_name,
            run_id,
            in_order,
            pipeline_root=pipeline_root(self._output_dir, self.pipeline_name),
            record=_record(context),
            is_active=self._is_in_use and run_id == self.runs()[-1].run_id,
            logged_ms=self._logged_ms(run_id),
        )

    @property
    def _output_dir(self) -> str:
        return str(self._path.parents[2])

    @cached_property
    def _is_in_use(self) -> bool:
        """Returns whether a run writes to the store."""
        return is_held(self._path.with_name(LOCK))

    def _logged_ms(self, run_id: str) -> int | None:
        log = log_path(self._output_dir, run_id)
        return int(log.stat().st_mtime * 1000) if log.is_file() else None

    @cached_property
    def _node_ids(self) -> dict[int, str]:
        """Returns the component ids by execution id."""
        prefix = f"{self.pipeline_name}."
        return {
            execution.id: context.name.removeprefix(prefix)
            for context in self._contexts("node")
            for execution in self._store.get_executions_by_context(context.id)
        }

    @cached_property
    def _artifact_types(self) -> dict[int, str]:
        return {each.id: each.name for each in self._store.get_artifact_types()}

    def _contexts(self, type_name: str) -> list[Any]:
        from ml_metadata import errors

        try:
            return list(self._store.get_contexts_by_type(type_name))
        except errors.NotFoundError:  # a store in which nothing ever ran
            return []

    def _node(self, node_id: str, execution: Any, run_id: str) -> StoredNode:
        from ml_metadata.proto.metadata_store_pb2 import Event, Execution

        events = self._store.get_events_by_execution_ids([execution.id])
        inputs = self._artifacts(event for event in events if event.type == Event.INPUT)
        outputs = self._artifacts(event for event in events if event.type in (Event.OUTPUT, Event.INTERNAL_OUTPUT))
        state = Execution.State.Name(execution.last_known_state)
        return StoredNode(
            node_id=node_id,
            execution_id=execution.id,
            state=state,
            started_ms=execution.create_time_since_epoch,
            ended_ms=execution.last_update_time_since_epoch,
            properties=_values(execution),
            inputs=inputs,
            outputs=outputs,
            made_by_run=self._producing_run(outputs, run_id) if state == "CACHED" else None,
        )

    def _artifacts(self, events: Iterable[Any]) -> dict[str, tuple[StoredArtifact, ...]]:
        keys: dict[str, list[int]] = defaultdict(list)
        for event in events:
            keys[event.path.steps[0].key].append(event.artifact_id)
        found = {key: self._store.get_artifacts_by_id(ids) for key, ids in keys.items()}
        return {key: tuple(map(self._artifact, artifacts)) for key, artifacts in found.items()}

    def _artifact(self, artifact: Any) -> StoredArtifact:
        from ml_metadata.proto.metadata_store_pb2 import Artifact

        kind = self._artifact_types.get(artifact.type_id, "?")
        return StoredArtifact(artifact.id, kind, artifact.uri, artifact.state == Artifact.LIVE, _values(artifact))

    def _producing_run(self, outputs: Mapping[str, tuple[StoredArtifact, ...]], run_id: str) -> str | None:
        """Returns the run in which cached artifacts came to be."""
        ids = [artifact.id for artifacts in outputs.values() for artifact in artifacts]
        events = self._store.get_events_by_artifact_ids(ids[:1]) if ids else []
        executions = sorted(event.execution_id for event in events)
        for context in self._store.get_contexts_by_execution(executions[0]) if executions else []:
            if context.name != run_id and context.type == "pipeline_run":
                return str(context.name)
        return None


def without_query(error: Exception) -> str:
    """Returns the message of an error of ML Metadata, on one line without its SQL and its full stop."""
    message = QUERY.sub(r"\1", str(error)).strip()
    return message.splitlines()[0].rstrip(".") if message else type(error).__name__


def _record(context: Any) -> RunRecord | None:
    if RunRecord.FILE not in context.custom_properties:
        return None
    written = context.custom_properties[RunRecord.FILE].string_value
    return RunRecord.parse(written, path=f"the record of run {context.name}")


def _values(node: Any) -> dict[str, Any]:
    """Properties and custom properties; TFX wraps some in a structure."""
    found = {}
    for name, value in [*node.properties.items(), *node.custom_properties.items()]:
        kind = value.WhichOneof("value")
        if kind in ("int_value", "double_value", "string_value", "bool_value"):
            found[name] = getattr(value, kind)
    return found


def stores(output_dir: str, pipeline_name: str | None = None) -> list[Store]:
    """Returns the metadata stores below `output_dir`, of one pipeline or of all.

    Raises:
        RunNotFoundError: If there is none.
    """
    if pipeline_name:
        paths = [metadata_path(output_dir, pipeline_name)]
    else:
        paths = sorted(metadata_path(output_dir, "any").parents[1].glob("*/metadata.db"))
    present = [path for path in paths if path.is_file()]
    if not present:
        raise RunNotFoundError(
            "A report needs the metadata store of a run. "
            f"Received: none at {paths[0] if pipeline_name else Path(output_dir, 'metadata')}. "
            "Run the pipeline first (make run), or name its folder with --output-dir."
        )
    return [Store(path, path.parent.name) for path in present]


def find_run(stores: Iterable[Store], run_id: str | None) -> StoredRun:
    """Returns a run by its id; without an id, the newest.

    Raises:
        RunNotFoundError: If there is none, or several pipelines have one of that name.
    """
    stores = list(stores)
    names = sorted((name for store in stores for name in store.runs()), key=lambda name: name.created_ms)
    if not names:
        raise RunNotFoundError(
            f"A report needs a run. Received: {len(stores)} metadata store{'s' * (len(stores) > 1)} in which no "
            "component ever started. Run the pipeline first (make run)."
        )
    chosen = [names[-1]] if run_id is None else [name for name in names if name.run_id == run_id]
    if not chosen:
        raise RunNotFoundError(f"There is no such run. Received: {run_id}. There are:\n{_listed(names)}")
    if len(chosen) > 1:
        pipelines = ", ".join(name.pipeline_name for name in chosen)
        raise RunNotFoundError(
            f"A run's name must be its own. Received: {run_id}, a run of each of {pipelines}. Add --pipeline-name."
        )
    store = next(each for each in stores if each.pipeline_name == chosen[0].pipeline_name)
    return store.read(chosen[0].run_id)


def _listed(names: list[RunName], *, shown: int = 12) -> str:
    lines = [f"  {name.run_id}  {name.pipeline_name}" for name in reversed(names)]
    more = [f"  and {len(lines) - shown} older ones"] if len(lines) > shown else []
    return "\n".join([*lines[:shown], *more])
