"""What the terminal shows and which message an error gives."""

from __future__ import annotations

import errno
import io
import logging
import multiprocessing
import sqlite3
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from modules.training_record import TrainingRecord
from pipeline.errors import PipelineError, RunLockedError
from pipeline.layout import metadata_path
from pipeline.local.console import Console, seconds
from pipeline.local.failure import message_of
from pipeline.local.logs import LogFileError, logging_to
from pipeline.local.results import training_figures
from pipeline.local.store import StoreError, tidy
from pipeline.local.summary import quality
from pipeline.run_lock import exclusive
from publishing.errors import numbered
from tests.report.made_run import RUNNING, MadeStore

LOG = Path("output/logs/x.log")
REPORT = {
    "parameters": 22304,
    "steps": 2600,
    "train_loss": 0.0312,
    "eval_loss": 0.0521,
    "eval_token_accuracy": 0.987,
    "seconds": 12.0,
    "supervised_tokens_per_second": 12345.6,
    "data": {"train": {"rows_read": 2000, "rows_dropped": 0, "rows_truncated": 0}},
    "exact_answers": {"rows": 200, "exact": 188, "share": 0.94},
}


def trained(**changes: Any) -> TrainingRecord:
    return TrainingRecord.model_validate(REPORT | changes)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    error.__cause__ = cause
    return error


def test_a_known_error_gives_its_message_alone_however_deep_it_lies() -> None:
    error = raised(RuntimeError("[while running 'Map']"), raised(ValueError("wrapped"), PipelineError("Do this.")))

    assert message_of(error, log=LOG) == "Do this."


def test_an_unknown_error_gives_its_type_and_the_log() -> None:
    assert message_of(KeyError("x"), log=LOG) == f"KeyError: 'x'. The details are in {LOG}."
    assert message_of(RuntimeError("first\nsecond"), log=None) == "RuntimeError: first."


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        raised(RuntimeError("Beam says"), OSError(errno.ENOSPC, "No space left on device")),
        RuntimeError("INTERNAL: database or disk is full"),
        ExceptionGroup("two", [ValueError("x"), OSError(errno.ENOSPC, "No space left on device")]),
    ],
)
def test_a_full_disk_is_recognised_in_every_wrapping(error: BaseException) -> None:
    assert message_of(error, log=LOG).startswith("The disk is full, so the run stopped;")


def test_a_full_disk_is_told_without_sql() -> None:
    sql = "Error when executing query: database or disk is full query:  INSERT INTO `Event`( `id` ) VALUES(1);"

    assert "Received: database or disk is full. Free some space" in message_of(RuntimeError(sql), log=LOG)
    full = OSError(errno.ENOSPC, "No space left on device", "/x/model.bin")
    assert "Received: [Errno 28] No space left on device: '/x/model.bin'. Free" in message_of(full, log=LOG)


def test_a_metadata_store_that_cannot_be_written_is_told_without_sql(tmp_path: Path) -> None:
    made = MadeStore(tmp_path)
    made.execute("run", "Trainer", state=RUNNING)
    metadata = metadata_path(str(tmp_path), made.pipeline_name)
    with sqlite3.connect(metadata) as database:
        broken = "CREATE TRIGGER broken BEFORE UPDATE ON Execution BEGIN SELECT RAISE(ABORT, 'it is broken'); END"
        database.execute(broken)

    with pytest.raises(StoreError) as refused:
        tidy(metadata, made.root, ended="killed")

    assert f"Received: {metadata}; it is broken. Remove " in str(refused.value)


def test_problems_are_numbered_and_indented() -> None:
    assert numbered("Refused", ["one\nmore", "two"]) == "Refused: 2 problems.\n  1. one\n     more\n  2. two"


def test_on_a_terminal_the_result_replaces_the_activity() -> None:
    terminal = Terminal()
    console = Console(terminal)

    console.started("DataGate")
    console.line("done")

    assert terminal.getvalue() == "  DataGate          looking for reasons not to train …\r\033[Kdone\n"


def test_the_trainer_gets_a_line_of_its_own_for_its_bar() -> None:
    terminal = Terminal()

    Console(terminal).started("Trainer")

    assert terminal.getvalue() == "  Trainer           training the model …\n"


def test_without_a_terminal_there_are_plain_lines_only() -> None:
    stream = io.StringIO()
    console = Console(stream)

    console.started("DataGate")
    console.line("done")

    assert stream.getvalue() == "  DataGate          looking for reasons not to train …\ndone\n"


def test_a_stream_without_unicode_gets_what_it_can_show() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")

    Console(stream).line("a · b")

    assert raw.getvalue() == b"a ? b\n"


@pytest.mark.parametrize(
    ("duration", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (92.4, "92 s"), (725, "12 min 5 s"), (7300, "2 h 1 min")],
)
def test_durations_are_readable(duration: float, text: str) -> None:
    assert seconds(duration) == text


def test_the_trainers_result_counts_rows_that_were_lost() -> None:
    lost = trained(data={"train": {"rows_read": 2000, "rows_dropped": 12, "rows_truncated": 3}})

    assert training_figures(trained()) == "loss 0.031 · 12,346 supervised tokens/s"
    assert training_figures(lost) == (
        "loss 0.031 · 12,346 supervised tokens/s · 12 of 2,000 rows too long and dropped · 3 of 2,000 prompts cut"
    )


def test_the_trainers_result_says_that_it_stopped_early() -> None:
    stopped = trained(steps=1425, planned_steps=2600, stop_reason="the evaluation loss has not fallen")

    assert training_figures(stopped).endswith(" · stopped early, after 1,425 of 2,600 steps")
    assert "early" not in training_figures(stopped.model_copy(update={"stop_reason": None}))


def test_quality_is_summed_up() -> None:
    assert quality(trained()) == "loss 0.052 · token accuracy 98.7% · exact answers 188 of 200 (94%) (evaluation split)"
    assert quality(trained(exact_answers=None)) == "loss 0.052 · token accuracy 98.7% (evaluation split)"


def test_real_warnings_reach_the_terminal_and_everything_reaches_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "logs" / "run.log"

    with logging_to(log), warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.getLogger("modules.trainer").info("an info")
        logging.getLogger("modules.trainer").warning("a real warning")
        logging.getLogger("absl").warning("ArtifactQuery.property_predicate is not supported.")
        warnings.warn("an old call", DeprecationWarning, stacklevel=1)
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)
        warnings.warn('Warnings while validating metadata in README.md:\n- "license" is not given', stacklevel=1)

    shown, logged = capsys.readouterr().err, log.read_text()
    assert "WARNING: a real warning\n" in shown
    assert "RuntimeWarning: overflow" in shown
    assert "an info" not in shown
    assert "ArtifactQuery" not in shown
    assert "an old call" not in shown
    assert "license" not in shown
    for text in ("an info", "a real warning", "ArtifactQuery", "an old call", "overflow"):
        assert text in logged


def test_a_terminal_handler_of_tfxs_command_line_rests_meanwhile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, theirs = logging.getLogger(), logging.StreamHandler(sys.stderr)  # as logging.basicConfig makes it
    root.addHandler(theirs)
    try:
        with logging_to(tmp_path / "run.log"):
            logging.getLogger("pipeline").info("Configuration: all of it")
            logging.getLogger("pipeline").warning("a real warning")
        assert theirs in root.handlers
    finally:
        root.removeHandler(theirs)

    assert capsys.readouterr().err == "WARNING: a real warning\n"


def test_a_log_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with (
        pytest.raises(LogFileError, match="log file must be writable"),
        logging_to(tmp_path / "file" / "x.log"),
    ):
        pass


def test_only_one_run_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "metadata" / "run.lock"

    with exclusive(lock):
        process = multiprocessing.get_context("spawn").Process(target=try_to_lock, args=(lock,))
        process.start()
        process.join(30)
    assert process.exitcode == 3
    with exclusive(lock):
        pass


def try_to_lock(lock: Path) -> None:
    try:
        with exclusive(lock):
            pass
    except RunLockedError:
        sys.exit(3)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_log_on_a_full_disk_adds_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to(Path("/dev/full")):
        logging.getLogger("gate").info("as good as lost")
    assert capsys.readouterr().err == ""
