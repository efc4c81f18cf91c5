"""The page about a run, written when it ends, however it ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import PipelineConfig
from pipeline.layout import metadata_path
from pipeline.local.console import NAME_WIDTH, Console
from pipeline.local.failure import message_of
from pipeline.local.interruption import message_of_interruption

logger = logging.getLogger(__name__)


@dataclass
class Report:
    """The path of the page, once the run has ended; None if there is none."""

    page: Path | None = None


@contextmanager
def reported(config: PipelineConfig, console: Console, run_id: str, *, log: Path, start: float) -> Iterator[Report]:
    """Writes the page when what is inside ends, even by an error, which passes through.

    Args:
        config: what was run.
        console: knows the graph; told where the page of a failed run is.
        run_id: in the metadata store.
        log: the run's log file.
        start: of the run, by ``time.monotonic``.
    """
    report = Report()
    try:
        yield report
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        failure = message_of_interruption(config, console, run_id) if interrupted else message_of(error, log=log)
        report.page = write_report(
            config, console, run_id, log=log, start=start, failure=failure, interrupted=interrupted
        )
        if report.page:
            console.line(f"  {'report':<{NAME_WIDTH}}  {relative(report.page)}")
        raise
    report.page = write_report(config, console, run_id, log=log, start=start)


def write_report(
    config: PipelineConfig,
    console: Console,
    run_id: str,
    *,
    log: Path,
    start: float,
    failure: str | None = None,
    interrupted: bool = False,
) -> Path | None:
    """Records how the run ended and writes its page; None, with a warning, if that cannot be done.

    None without a warning for a run that never came to a component: the metadata store does not know it.
    """
    try:
        from pipeline.report.build import build_report
        from pipeline.report.run_record import make_record, write_record

        record = make_record(
            profile=config.profile,
            seconds=time.monotonic() - start,
            log=str(log),
            graph=console.graph,
            failure=failure,
            interrupted=interrupted,
        )
        if not write_record(metadata_path(config.output_dir, config.pipeline_name), run_id, record):
            return None
        return build_report(config.output_dir, pipeline_name=config.pipeline_name, run_id=run_id)
    except Exception as error:  # a good run stays good, whatever is wrong with the page about it
        logger.warning(
            'The report was not written: %s Once that is put right: make report ARGS="--run %s"',
            message_of(error, log=log),
            run_id,
        )
        logger.info("The report was not written", exc_info=error)
        return None


def relative(path: Path) -> str:
    """Returns `path` as the user would type it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
