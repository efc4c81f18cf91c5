"""TFX's LocalDagRunner, telling an observer what runs and what came of it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ml_metadata.proto.metadata_store_pb2 import Execution
from tfx.dsl.compiler.constants import PIPELINE_RUN_ID_PARAMETER_NAME
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import pipeline_pb2
from tfx.types import Artifact

from modules.processes import share_accelerators
from modules.provenance import RUN_ID_VARIABLE
from pipeline.config import PipelineConfig
from pipeline.errors import NodeNotRunError
from pipeline.initial_model import hub_revision

logger = logging.getLogger(__name__)

# They look at the Hub as it is; from cache they would miss that it was emptied, or that another run published.
NEVER_CACHED = ("BaselineModel", "HFPusher")


def never_cached(config: PipelineConfig) -> tuple[str, ...]:
    """Returns the ids of components that run even if nothing they know of changed; among them the initial model's,
    unless its revision is a commit."""
    initial = hub_revision(config.model.preset)
    return NEVER_CACHED if initial is None or initial.is_pinned else (*NEVER_CACHED, "InitialModel")


@dataclass(frozen=True)
class NodeRun:
    """The outcome of one component."""

    node_id: str
    cached: bool
    seconds: float
    outputs: Mapping[str, Sequence[Artifact]]


class Observer(Protocol):
    """Hears of every component."""

    def started(self, node_id: str) -> None: ...

    def finished(self, node: NodeRun) -> None: ...


class ObservedDagRunner(LocalDagRunner):
    """Runs the components one after another.

    Overrides ``run_with_ir`` and leaves ``run`` alone: ``tfx pipeline create`` patches ``LocalDagRunner.run``
    to learn the pipeline's name without running it.
    """

    def __init__(
        self,
        *,
        observer: Observer,
        run_id: str,
        never_cached: Collection[str] = (),
        only: str | None = None,
    ) -> None:
        """Prepares a run.

        Args:
            observer: told of each component as it starts and ends.
            run_id: name of this run in the metadata store; must be new, unless `only` goes on with one.
            never_cached: ids of components that run even if nothing they know of changed. TFX's DSL has only
                one switch for the whole pipeline, so theirs is turned off in the compiled form.
            only: id of the one component to run; it reads what the others made in the same run.
        """
        super().__init__()
        self._observer = observer
        self._run_id = run_id
        self._never_cached = frozenset(never_cached)
        self._only = only

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: Any | None = None) -> None:
        """Runs the compiled pipeline; an error of a component passes through.

        Raises:
            NodeNotRunError: If TFX leaves a component out.
        """
        if run_options is not None:
            raise ValueError("This runner runs whole pipelines; partial runs need TFX's own LocalDagRunner.")
        runtime_parameter_utils.substitute_runtime_parameter(pipeline, {PIPELINE_RUN_ID_PARAMETER_NAME: self._run_id})
        share_accelerators()
        os.environ[RUN_ID_VARIABLE] = self._run_id  # the Trainer writes it into the model's report
        nodes = [node.pipeline_node for node in pipeline.nodes]
        for node in [node for node in nodes if self._only in (None, node.node_info.id)]:
            if node.node_info.id in self._never_cached:
                node.execution_options.caching_options.enable_cache = False
            self._observer.started(node.node_info.id)
            self._observer.finished(_launch(node, pipeline))


def _launch(node: pipeline_pb2.PipelineNode, pipeline: pipeline_pb2.Pipeline) -> NodeRun:
    start = time.monotonic()
    node_id = node.node_info.id
    deployment = runner_utils.extract_local_deployment_config(pipeline)
    connection = deployment.metadata_connection_config
    store = metadata.Metadata(getattr(connection, connection.WhichOneof("connection_config")))
    logger.info("Component %s is running.", node_id)
    execution_info = launcher.Launcher(
        pipeline_node=node,
        mlmd_connection=store,
        pipeline_info=pipeline.pipeline_info,
        pipeline_runtime_spec=pipeline.runtime_spec,
        executor_spec=runner_utils.extract_executor_spec(deployment, node_id),
        custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
    ).launch()
    with store as handle:
        state, outputs = _outcome(handle, execution_info.execution_id)
    logger.info("Component %s is finished.", node_id)
    if state not in (Execution.COMPLETE, Execution.CACHED):
        raise NodeNotRunError(
            f"Component {node_id} did not run: TFX could not find its inputs. Received: state "
            f"{Execution.State.Name(state)}. Run again with --enable-cache false; the log has the details."
        )
    return NodeRun(node_id, state == Execution.CACHED, time.monotonic() - start, outputs)


def _outcome(handle: metadata.Metadata, execution_id: int) -> tuple[int, Mapping[str, Sequence[Artifact]]]:
    """Returns the state of an execution, and its outputs: with a cached one, the earlier execution's."""
    (execution,) = handle.store.get_executions_by_id([execution_id])
    return execution.last_known_state, execution_lib.get_output_artifacts(handle, execution_id)
