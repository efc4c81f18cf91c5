"""What is said while something takes its time, here and in processes apart."""

from __future__ import annotations

import contextlib
import fcntl
import io
import logging
import os
import struct
import sys
import termios
from pathlib import Path

import pytest

from modules.processes import Outcome, run_in_subprocess
from modules.progress import CLEAR_LINE, SHOW_CURSOR, PartsProgress

PARTS = {"parts": ["transformers", "saved_model"]}


def told(stream: io.TextIOBase, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """What a process apart answers that shows its progress on `stream`."""
    monkeypatch.setattr(sys, "stderr", stream)
    return run_in_subprocess("tests.modules.telling", PARTS, environment={})


def drained(terminal: int) -> str:
    """All that was written to the other side of a terminal, which is closed."""
    shown = b""
    with contextlib.suppress(OSError):  # so it ends on Linux
        while chunk := os.read(terminal, 4096):
            shown += chunk
    os.close(terminal)
    return shown.decode()


def test_a_warning_of_the_projects_is_one_here_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = told(io.StringIO(), monkeypatch)

    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [(record.name, record.getMessage()) for record in warnings] == [
        ("modules.training", "The checkpoint could not be written.")
    ]
    assert "WARNING elsewhere: of a library" in outcome.log


def test_without_a_terminal_every_part_has_a_line() -> None:
    stream = io.StringIO()

    with PartsProgress("exporting", total=2, stream=stream) as progress:
        progress.begin("transformers")
        progress.begin("saved_model")

    assert stream.getvalue() == "  exporting transformers\n  exporting saved_model\n"


def test_what_is_only_counted_has_a_line_now_and_then() -> None:
    often, seldom = io.StringIO(), io.StringIO()

    for stream, pause in ((often, 0.0), (seldom, 3600.0)):
        with PartsProgress("answering", total=1207, line_seconds=pause, stream=stream) as progress:
            progress.begin("1,207 prompts")
            progress.advance(1064)

    assert seldom.getvalue() == "  answering 1,207 prompts\n"
    assert often.getvalue() == "  answering 1,207 prompts\n  answering 1,064 of 1,207\n"


def test_on_a_terminal_a_bar_takes_the_place_of_the_line_before_and_leaves_nothing() -> None:
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))

    with os.fdopen(theirs, "w") as terminal, PartsProgress("exporting", total=4, stream=terminal) as progress:
        for part in ("transformers", "saved_model"):
            progress.begin(part)
            progress.bar.refresh()

    shown = drained(ours)
    assert shown.startswith(CLEAR_LINE)
    assert progress.console.width == 100
    assert "exporting" in shown
    assert "1/4" in shown
    assert "saved_model" in shown
    assert shown.rstrip("\r\n").endswith(("\033[2K", SHOW_CURSOR)), repr(shown[-60:])


def test_a_process_apart_tells_its_progress_here_and_everything_else_to_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "terminal.txt").open("w") as stream:
        outcome = told(stream, monkeypatch)

    assert (tmp_path / "terminal.txt").read_text() == "  exporting transformers\n  exporting saved_model\n"
    assert outcome.result["terminal"] is False
    assert "a banner of TensorFlow" in outcome.log
    assert "for programmers" in outcome.log


def test_a_process_apart_draws_its_bar_on_the_terminal_as_wide_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 133, 0, 0))

    with os.fdopen(theirs, "w") as terminal:
        outcome = told(terminal, monkeypatch)

    shown = drained(ours)
    assert outcome.result == {"terminal": True, "width": 133}
    assert "banner" not in shown
    assert shown.endswith(CLEAR_LINE + SHOW_CURSOR), "in case that it was killed in the middle of a bar"


def test_where_no_file_is_behind_standard_error_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()

    assert told(stream, monkeypatch).status == 0
    assert stream.getvalue() == ""
