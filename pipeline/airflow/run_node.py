"""Runs one component of a run: ``python -m pipeline.airflow.run_node --node Trainer --run-id R [flags]``.

The calls of one run share its id and the metadata store, through which each component finds what those before it
made. They may be made by several processes at a time, which then take turns. A component that the run has finished
already is not run again, so a call can be repeated.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.config import PipelineConfig
from pipeline.config.sources import ConfigError, load_config
from pipeline.errors import PipelineError
from pipeline.layout import log_path
from pipeline.local.command import FAILED, prepared, quiet_environment
from pipeline.local.console import Console
from pipeline.local.failure import message_of
from pipeline.local.imports import heavy_imports

if TYPE_CHECKING:
    from tfx.orchestration.pipeline import Pipeline

DEFAULT_WAIT_MINUTES = 12 * 60.0
NOT_IN_A_PATH = re.compile(r"[^A-Za-z0-9._-]+")


class UnknownNodeError(PipelineError, ValueError):
    """The pipeline has no such component."""


@dataclass(frozen=True)
class NodeCall:
    """One component of one run."""

    node: str
    run_id: str  # safe for paths

    @classmethod
    def of(cls, node: str, run_id: str) -> NodeCall:
        """Returns the call for a run id as Airflow gives it, such as ``scheduled__2026-11-23T03:00:00+00:00``."""
        return cls(node, NOT_IN_A_PATH.sub("-", run_id))


def main(arguments: Sequence[str], environment: MutableMapping[str, str]) -> int:
    """Runs the command; returns its exit status."""
    options, flags = _parser().parse_known_args(arguments)
    try:
        config = load_config(flags, environment)
    except ConfigError as error:
        return _fail(str(error))
    call = NodeCall.of(options.node, options.run_id)
    log = log_path(config.output_dir, call.run_id)
    for name, value in quiet_environment(config, on_terminal=False).items():
        environment.setdefault(name, value)
    try:
        with prepared(config, log, wait_seconds=options.wait_minutes * 60):
            run_node(config, call, Console(sys.stdout))
    except Exception as error:  # noqa: BLE001 - the last line of defence: logged in full, shown in one sentence
        return _fail(message_of(error, log=log if log.exists() else None))
    return 0


def run_node(config: PipelineConfig, call: NodeCall, console: Console) -> None:
    """Runs the component, unless the run has finished it already.

    Raises:
        UnknownNodeError: If the pipeline has no such component.
    """
    with heavy_imports():
        from pipeline.local.dag_runner import ObservedDagRunner, never_cached
        from pipeline.pipeline import create_pipeline

    pipeline = create_pipeline(config)
    nodes = [component.id for component in pipeline.components]
    if call.node not in nodes:
        raise UnknownNodeError(
            f"The pipeline must have the component. Received: --node {call.node}. It has {', '.join(nodes)}; "
            "if it was changed, write the DAG file anew (python -m pipeline.airflow)."
        )
    if is_finished(pipeline, call):
        console.line(f"  {call.node}  finished in this run already")
        return
    ObservedDagRunner(observer=console, run_id=call.run_id, never_cached=never_cached(config), only=call.node).run(
        pipeline
    )


def is_finished(pipeline: Pipeline, call: NodeCall) -> bool:
    """Returns whether the run has finished the component, according to ML Metadata."""
    from ml_metadata.proto.metadata_store_pb2 import Execution
    from tfx.orchestration.metadata import Metadata

    with Metadata(pipeline.metadata_connection_config) as handle:
        store = handle.store
        run = store.get_context_by_type_and_name("pipeline_run", call.run_id)
        node = store.get_context_by_type_and_name("node", f"{pipeline.pipeline_name}.{call.node}")
        if run is None or node is None:
            return False
        of_node = {execution.id for execution in store.get_executions_by_context(node.id)}
        done = (Execution.COMPLETE, Execution.CACHED)
        return any(
            execution.id in of_node and execution.last_known_state in done
            for execution in store.get_executions_by_context(run.id)
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.airflow.run_node",
        description="Runs one component of a run. Other flags are local_runner.py's.",
        allow_abbrev=False,
    )
    parser.add_argument("--node", required=True, help="id of the component")
    parser.add_argument("--run-id", required=True, help="name of the run, the same for all its components")
    parser.add_argument(
        "--wait-minutes",
        type=float,
        default=DEFAULT_WAIT_MINUTES,
        help="longest wait for another component that writes to the same output folder (%(default)s)",
    )
    return parser


def _fail(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
