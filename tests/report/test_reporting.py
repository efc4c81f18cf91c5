"""The page at the end of a run: always written, never in the run's way."""

from __future__ import annotations

import io
import logging
import time
from pathlib import Path

import pytest

from hub.demo import parse_options as demo_options
from pipeline.config import PipelineConfig
from pipeline.local.console import Console
from pipeline.local.reporting import reported
from pipeline.local.summary import DEMO_STORAGE, demo_command, summarize
from pipeline.report.reading.run import read_facts
from pipeline.report.store import find_run, stores
from tests.report.made_run import FAILED, PIPELINE, RUN, MadeStore, Settings, make_run

LOG = Path("output/logs/x.log")


def config_of(output: Path) -> PipelineConfig:
    return PipelineConfig(output_dir=str(output), pipeline_name=PIPELINE, profile="quickstart")


def console() -> Console:
    made = Console(io.StringIO())
    made.planned({"ImportExampleGen": [], "StatisticsGen": ["ImportExampleGen"]})
    return made


def test_a_run_that_ends_well_gets_its_page_and_keeps_what_only_it_knows(tmp_path: Path) -> None:
    make_run(tmp_path, Settings(recorded=False))

    with reported(config_of(tmp_path), console(), RUN, log=LOG, start=time.monotonic()) as report:
        assert report.page is None

    assert report.page == tmp_path / "reports" / RUN / "index.html"
    record = find_run(stores(str(tmp_path)), RUN).record
    assert record is not None
    assert (record.profile, record.log, record.failure) == ("quickstart", str(LOG), None)
    assert record.graph == {"ImportExampleGen": [], "StatisticsGen": ["ImportExampleGen"]}
    assert record.versions["python"].startswith("3.11")


def test_a_failed_run_gets_a_page_and_its_error_passes_through(tmp_path: Path) -> None:
    MadeStore(tmp_path).execute(RUN, "ImportExampleGen", state=FAILED)
    shown = console()

    with (
        pytest.raises(OSError, match="No space left on device"),
        reported(config_of(tmp_path), shown, RUN, log=LOG, start=time.monotonic()) as report,
    ):
        raise OSError(28, "No space left on device")

    facts = read_facts(find_run(stores(str(tmp_path)), RUN))
    assert facts.failure is not None
    assert facts.failure.startswith("The disk is full, so the run stopped;")
    assert [(node.node_id, node.state) for node in facts.nodes] == [
        ("ImportExampleGen", "failed"),
        ("StatisticsGen", "not reached"),
    ]
    assert isinstance(shown.stream, io.StringIO)
    assert shown.stream.getvalue() == f"  report            {report.page}\n"


def test_an_interrupted_run_gets_a_page(tmp_path: Path) -> None:
    MadeStore(tmp_path).execute(RUN, "ImportExampleGen", state=FAILED)

    with (
        pytest.raises(KeyboardInterrupt),
        reported(config_of(tmp_path), console(), RUN, log=LOG, start=time.monotonic()),
    ):
        raise KeyboardInterrupt

    record = find_run(stores(str(tmp_path)), RUN).record
    assert record is not None
    assert record.failure == "Interrupted. Nothing half-written will be used: the next run starts clean."
    assert record.interrupted


def test_a_run_that_came_to_no_component_has_no_page(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_run(tmp_path)

    with reported(config_of(tmp_path), console(), "never started", log=LOG, start=time.monotonic()) as report:
        pass

    assert report.page is None
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert not (tmp_path / "reports").exists()


def test_a_page_that_cannot_be_written_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_run(tmp_path)
    (tmp_path / "reports").write_text("a file where a folder should be", encoding="utf-8")

    with reported(config_of(tmp_path), console(), RUN, log=LOG, start=time.monotonic()) as report:
        pass

    assert report.page is None
    (warning,) = (record for record in caplog.records if record.levelno == logging.WARNING)
    assert warning.getMessage().startswith("The report was not written: NotADirectoryError: ")
    assert warning.getMessage().endswith(f'Once that is put right: make report ARGS="--run {RUN}"')


def test_the_summary_links_the_page(tmp_path: Path) -> None:
    text = summarize(
        [], config_of(tmp_path), log=Path("/logs/x.log"), report=Path("/reports/r1/index.html"), total_seconds=1.0
    )

    assert text.splitlines()[-2:] == ["  report    /reports/r1/index.html", "  log       /logs/x.log"]


@pytest.mark.parametrize(
    ("output", "port", "command"),
    [
        ("output", None, "make demo"),
        ("output", 8700, 'make demo ARGS="--port 8700"'),
        ("/some where", None, "make demo ARGS=\"--storage-dir '/some where/hub'\""),
    ],
)
def test_the_demo_is_started_where_the_run_has_published(output: str, port: int | None, command: str) -> None:
    config = PipelineConfig(output_dir=output, profile="quickstart")
    publish = config.publish.model_copy(update={"local_port": port})

    assert demo_command(config.model_copy(update={"publish": publish})) == command


def test_the_demo_looks_where_the_summary_says_it_does() -> None:
    assert (str(demo_options([]).storage_dir), demo_options([]).port) == (DEMO_STORAGE, None)
