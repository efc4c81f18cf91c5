"""local_runner.py's command, from its arguments to its exit status."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import preflight
from pipeline.config import PipelineConfig
from pipeline.config.sources import read_config
from pipeline.initial_model import pinned
from pipeline.layout import lock_path, log_path, metadata_path, pipeline_root
from pipeline.local.console import Console
from pipeline.local.failure import message_of
from pipeline.local.interruption import message_of_interruption
from pipeline.local.logs import logging_to
from pipeline.local.noise import filtered_stderr
from pipeline.local.reporting import reported
from pipeline.local.results import publication
from pipeline.local.store import StoreError, tidy
from pipeline.local.summary import summarize
from pipeline.run_lock import exclusive

if TYPE_CHECKING:
    from pipeline.local.dag_runner import NodeRun

logger = logging.getLogger(__name__)

FAILED, NOT_PUBLISHED, INTERRUPTED = 1, 3, 130

RunPipeline = Callable[[PipelineConfig, Console, str], None]


def run_command(arguments: Sequence[str], environment: MutableMapping[str, str], run_pipeline: RunPipeline) -> int:
    """Reads the configuration, checks everything, runs, and tells what came of it.

    Args:
        arguments: command line without the program's name.
        environment: such as ``os.environ``; gets what :func:`quiet_environment` names.
        run_pipeline: imports TFX and runs the pipeline that the configuration describes, under the given run
            id.

    Returns:
        The exit status.
    """
    start = time.monotonic()
    reading = read_config(arguments, environment)
    config = reading.config
    run_id = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    log = log_path(config.output_dir, run_id)
    console = Console(sys.stdout)
    for name, value in quiet_environment(config, on_terminal=sys.stderr.isatty()).items():
        environment.setdefault(name, value)
    try:
        config = pinned(preflight.check(reading, environment))
        with prepared(config, log), reported(config, console, run_id, log=log, start=start) as report:
            console.line(f"{config.pipeline_name}, profile {config.profile}")
            run_pipeline(config, console, run_id)
    except KeyboardInterrupt:
        console.interrupted()
        return _fail(message_of_interruption(config, console, run_id), INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last line of defence: logged in full, shown in one sentence
        console.interrupted()
        return _fail(message_of(error, log=log if log.exists() else None))
    if console.finished_nodes:  # none under `tfx pipeline create`, which only asks for the pipeline
        spent = time.monotonic() - start
        console.line(summarize(console.finished_nodes, config, log=log, total_seconds=spent, report=report.page))
    if config.publish.required and (reason := not_published(console.finished_nodes)):
        return _fail(f"Nothing was published, which publish.required asks for: {reason}.", NOT_PUBLISHED)
    return 0


def not_published(nodes: Sequence[NodeRun]) -> str | None:
    """Returns why HFPusher published nothing; None if it did, or the run has none."""
    record = next((publication(node) for node in nodes if node.node_id == "HFPusher"), None)
    return None if record is None or record.pushed else str(record.not_pushed_reason)


def quiet_environment(config: PipelineConfig, *, on_terminal: bool) -> dict[str, str]:
    """Variables that libraries read when they are imported, so they must be set before; one that the user set
    stays."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "1"}  # TensorFlow's INFO level
    if not on_terminal or config.publish.endpoint == "local":
        quiet["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # nothing to watch on loopback, unreadable in a file
    return quiet


@contextmanager
def prepared(config: PipelineConfig, log: Path, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Opens log and lock on a tidy store; whatever ends the run is in the log, and nothing unfinished stays behind.

    Args:
        config: says where things lie.
        log: the log file; added to if it is there.
        wait_seconds: how long to wait for another run to let go of the output folder.
    """
    place = (config.output_dir, config.pipeline_name)
    metadata, root = metadata_path(*place), pipeline_root(*place)
    with logging_to(log), filtered_stderr(log), exclusive(lock_path(*place), wait_seconds=wait_seconds):
        logger.info("Configuration: %s", config)
        try:
            tidy(metadata, root, ended="killed")
            yield
        except BaseException as error:
            logger.info("The run ended early", exc_info=error)
            with suppress(OSError, StoreError):  # what cannot be tidied now is at the start of the next run
                tidy(metadata, root, ended="interrupted" if isinstance(error, KeyboardInterrupt) else None)
            raise


def _fail(message: str, status: int = FAILED) -> int:
    sys.stderr.write(f"{message}\n")
    return status
