"""Keeps third parties' start-up banners off the terminal, and every real message on it.

TensorFlow, abseil and gRPC write some lines straight to file descriptor 2, below Python's logging and before
it can be configured. While :func:`filtered_stderr` is active, descriptor 2 is a pipe to a small process that
runs this very file: it appends the lines that match `NOISE` to the log and passes all others through. A
process rather than a thread, so that the last words of a crashing interpreter still arrive, and so that C++
code that holds the interpreter lock can never block on a full pipe. Python's own `sys.stderr`, where progress
is drawn, keeps writing to the terminal directly.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

PARTIAL_LINE_SECONDS = 0.2  # a prompt or a progress bar without a line end is passed on after so long
EXIT_SECONDS = 5.0


class Noise(NamedTuple):
    """Lines that say nothing a user can act on."""

    pattern: str
    reason: str


NOISE = (
    Noise(r"WARNING: All log messages before absl::InitializeLog\(\)", "announces only that other lines follow"),
    Noise(r"I\d{4} \d\d:\d\d:[\d.]+ +\d+ ", "abseil's and TensorFlow's INFO level"),
    Noise(r"\d{4}-\d\d-\d\d \d\d:\d\d:[\d.]+: I ", "TensorFlow's INFO level, in its own format"),
    Noise(r"To enable the following instructions: ", "second line of TensorFlow's cpu_feature_guard INFO"),
    Noise(
        r"E\d{4} .*cuda_platform\.cc:\d+\] failed call to cuInit: .*UNKNOWN ERROR \(303\)",
        "no CUDA driver: a CPU will do",
    ),
    Noise(
        r"E\d{4} .*util\.cc:\d+\] oneDNN supports DT_INT64 only",
        "a slower kernel, chosen by TensorFlow itself",
    ),
)
_NOISE = re.compile("|".join(f"(?:{noise.pattern})" for noise in NOISE).encode())


def is_noise(line: bytes) -> bool:
    """Returns whether `line` matches one of `NOISE` from its start."""
    return _NOISE.match(line) is not None


@contextmanager
def filtered_stderr(log: Path) -> Iterator[None]:
    """Filters standard error while active: noise written to descriptor 2 goes to `log` and the rest where it went
    before."""
    sys.stderr.flush()
    terminal = os.dup(2)
    command = [sys.executable, "-I", "-S", __file__, str(log)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=terminal, stderr=terminal, bufsize=0) as reader:
        assert reader.stdin is not None
        os.dup2(reader.stdin.fileno(), 2)
        reader.stdin.close()
        try:
            with _python_writes_to(terminal):
                yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            reader.wait(EXIT_SECONDS)


@contextmanager
def _python_writes_to(terminal: int) -> Iterator[None]:
    """Lets `sys.stderr` bypass the pipe, unless something else than descriptor 2 stands behind it."""
    before = sys.stderr
    if not _is_descriptor_2(before):
        yield
        return
    copy = os.dup(terminal)
    with os.fdopen(copy, "w", buffering=1, encoding=before.encoding, errors="backslashreplace") as direct:
        sys.stderr = direct
        try:
            yield
        finally:
            sys.stderr = before


def _is_descriptor_2(stream: object) -> bool:
    try:
        return bool(stream.fileno() == 2)  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return False


def copy_lines(source: int, terminal: int, log: Path) -> None:
    """Copies `source` to `terminal` until its end, noise to `log` instead."""
    rest = b""
    while True:
        if rest and not select.select([source], [], [], PARTIAL_LINE_SECONDS)[0]:
            os.write(terminal, rest)
            rest = b""
            continue
        chunk = os.read(source, 65536)
        *lines, rest = re.split(rb"(?<=[\n\r])", rest + chunk)
        if not chunk:
            lines, rest = [*lines, rest], b""
        for line in lines:
            _route(line, terminal, log)
        if not chunk:
            return


def _route(line: bytes, terminal: int, log: Path) -> None:
    if not is_noise(line):
        os.write(terminal, line)
        return
    with log.open("ab") as file:
        file.write(line)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the pipeline; its last words still pass through here
    copy_lines(0, 1, Path(sys.argv[1]))
