"""Forked children are what a fresh process would be, but for what is imported already."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.usefixtures("forked_children")


def run(way: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.forked_child", way]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, input="hello", capture_output=True, text=True, check=False
    )


def test_a_child_has_tensorflow_and_its_own_streams_and_status() -> None:
    finished = run("returns")

    assert finished.stdout.split()[1:] == ["True", "hello"]
    assert (finished.returncode, finished.stderr) == (3, "")


def test_with_another_setting_of_a_library_a_child_is_a_fresh_process() -> None:
    assert run("returns", TF_NUM_INTRAOP_THREADS="1").stdout.split()[1:] == ["False", "hello"]
    assert run("returns", KERAS_BACKEND="tensorflow").stdout.split()[1:] == ["True", "hello"]  # the default


def test_a_child_imports_ctranslate2_itself_so_with_its_settings_it_is_forked_too() -> None:
    assert run("has ctranslate2", CT2_VERBOSE="1").stdout.split()[1:] == ["True", "hello", "False"]


def test_an_error_and_a_signal_end_the_command_as_they_end_the_child() -> None:
    raised, killed = run("raises"), run("kills itself")

    assert (raised.returncode, killed.returncode) == (1, -signal.SIGKILL)
    assert raised.stderr.endswith("ValueError: as asked\n")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_child_ends_with_its_command(how: signal.Signals) -> None:
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "tests.forked_child", "waits"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        child = Path("/proc", process.stdout.readline().split()[0])
        process.send_signal(how)

    assert process.returncode == -how
    deadline = time.monotonic() + 20
    while child.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
