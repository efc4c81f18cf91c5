"""The noise filter, against a real process that writes to descriptor 2 below Python."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.local.noise import NOISE, is_noise

REPOSITORY = Path(__file__).parents[2]
BANNER = "I0000 00:00:1795309081.289623    7930 cudart_stub.cc:31] Could not find cuda drivers on your machine."
PREFACE = "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR"
REAL = "W0000 00:00:1795309081.289623    7930 allocator.cc:12] Allocation of 9 GB exceeds 10% of free memory."


def run(code: str, tmp_path: Path, **options: object) -> tuple[str, str, int]:
    log = tmp_path / "run.log"
    program = f"""
import os, sys
from pathlib import Path
from pipeline.local.noise import filtered_stderr
with filtered_stderr(Path({str(log)!r})):
{"".join(f"    {line}{chr(10)}" for line in code.splitlines())}
sys.stderr.write("after\\n")
"""
    finished = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
    return finished.stderr, log.read_text() if log.exists() else "", finished.returncode


def test_banners_go_to_the_log_and_everything_else_to_the_terminal(tmp_path: Path) -> None:
    shown, logged, status = run(
        f"os.write(2, b{PREFACE!r} + b'\\n' + b{BANNER!r} + b'\\n' + b{REAL!r} + b'\\n')", tmp_path
    )

    assert shown == f"{REAL}\nafter\n"
    assert logged == f"{PREFACE}\n{BANNER}\n"
    assert status == 0


def test_a_subprocess_is_filtered_too(tmp_path: Path) -> None:
    shown, logged, _ = run(
        f"import subprocess; subprocess.run(['sh', '-c', 'echo \"{BANNER}\" >&2; echo real >&2'])", tmp_path
    )

    assert shown == "real\nafter\n"
    assert logged == f"{BANNER}\n"


def test_python_writes_to_the_terminal_directly(tmp_path: Path) -> None:
    shown, logged, _ = run(f"sys.stderr.write({BANNER!r} + '\\n')", tmp_path)

    assert shown == f"{BANNER}\nafter\n"
    assert logged == ""


def test_an_unended_line_is_passed_on(tmp_path: Path) -> None:
    shown, _, _ = run("os.write(2, b'password: ')", tmp_path)

    assert shown == "password: after\n"


def test_the_last_words_of_a_crash_arrive(tmp_path: Path) -> None:
    shown, _, status = run("os.write(2, b'F0000 fatal\\n')\nos.abort()", tmp_path)

    assert shown == "F0000 fatal\n"
    assert status < 0


def test_a_flood_does_not_block(tmp_path: Path) -> None:
    shown, _, status = run(
        "os.write(2, b'x' * 99 + b'\\n')\nfor _ in range(20_000): os.write(2, b'y' * 99 + b'\\n')", tmp_path
    )

    assert len(shown) == 100 * 20_001 + len("after\n")
    assert status == 0


def test_it_starts_and_ends_quickly(tmp_path: Path) -> None:
    start = time.monotonic()
    run("pass", tmp_path)

    assert time.monotonic() - start < 1.5


@pytest.mark.parametrize("line", [REAL, "Traceback (most recent call last):", "Killed", "E0000 disk on fire", ""])
def test_what_is_not_known_as_noise_passes(line: str) -> None:
    assert not is_noise(line.encode())


def test_every_kind_of_noise_has_a_reason() -> None:
    assert [noise.pattern for noise in NOISE if not noise.reason] == []


def test_descriptor_2_is_as_before_afterwards(tmp_path: Path) -> None:
    from pipeline.local.noise import filtered_stderr

    before = os.fstat(2).st_ino
    with filtered_stderr(tmp_path / "run.log"):
        during = os.fstat(2).st_ino

    assert during != before
    assert os.fstat(2).st_ino == before
