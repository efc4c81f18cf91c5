"""Runs a module of this project in a fresh process, which ends when this one does.

The task goes over as a JSON file, the result comes back as one. The fresh process reads from a pipe that nobody writes
to: it closes when this process ends, however that ends, or is interrupted. Its progress is drawn where this one's is;
whatever else is written to its descriptors 1 and 2, such as TensorFlow's banners, goes to its log.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from pydantic import TypeAdapter

from modules.progress import CLEAR_LINE, SHOW_CURSOR

PROJECT = Path(__file__).parents[1]
Task = TypeVar("Task")
ERROR, EXPLANATION, ERROR_TYPE = "error", "explanation", "error_type"
READ_EVERY = 0.5  # seconds; how often the log of a process is looked at
LOG_FORMAT = "%(levelname)s %(name)s: %(message)s"
OWN_WARNING = re.compile(r"(?P<level>WARNING|ERROR|CRITICAL) (?P<name>(modules|data)\.[\w.]+): (?P<message>.*)")

logger = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """The end of a process: its exit status, its answer, and its log."""

    status: int
    result: dict[str, Any]
    log: str

    @property
    def explanation(self) -> str | None:
        """Returns the message of an error that explains itself to users; None for any other end."""
        return self.result.get(EXPLANATION)

    @property
    def error_type(self) -> str | None:
        """Returns the name of the error's class; None if the process ended without one."""
        return self.result.get(ERROR_TYPE)

    @property
    def cause(self) -> str:
        """Returns why the process failed, without a full stop."""
        told = self.explanation or self.result.get(ERROR)
        if told is not None:
            return str(told).rstrip(".")
        if self.status == -signal.SIGKILL:
            return "it was killed, as happens when memory runs out"
        return f"it ended with status {self.status}"


def share_accelerators() -> None:
    """Has TensorFlow take of an accelerator's memory only what this process uses, if it has not begun to use it.

    Otherwise it takes all, and the process that trains finds none.
    """
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


def run_in_subprocess(module: str, task: object, *, environment: Mapping[str, str]) -> Outcome:
    """Has `module`, whose ``main`` is :func:`serve`, carry `task` out in a fresh process.

    Args:
        module: dotted name.
        task: a dataclass, or plain JSON; goes over as pydantic writes it.
        environment: variables to add to this process' own.
    """
    with tempfile.TemporaryDirectory() as folder:
        task_file, result_file, log_file = (Path(folder, name) for name in ("task.json", "result.json", "log.txt"))
        task_file.write_bytes(TypeAdapter(type(task)).dump_json(task))
        files = (task_file, result_file, log_file)
        with (
            _terminal() as handed,
            log_file.open("ab") as written,
            _logged(log_file, module),
            subprocess.Popen(
                [sys.executable, "-m", module, *map(str, files)],
                cwd=PROJECT,
                env=os.environ | environment,
                stdin=subprocess.PIPE,
                stdout=written,
                stderr=written if handed is None else handed,
            ) as process,
        ):
            try:
                status = process.wait()
            finally:
                process.kill()
                _restore_terminal(handed)
        log = log_file.read_text(encoding="utf-8", errors="replace")
        result = json.loads(result_file.read_text(encoding="utf-8")) if result_file.exists() else {}
    return Outcome(status, result, log)


def serve(arguments: Sequence[str], carry_out: Callable[[Task], Mapping[str, Any]], *, task_type: type[Task]) -> None:
    """Runs in the fresh process: reads the task, carries it out, leaves the result, or the error's message.

    Args:
        arguments: of the command line: the files of the task, the result and the log.
        carry_out: does the task; returns plain JSON.
        task_type: what :func:`run_in_subprocess` was given; a field that is unknown or out of range is an error.
    """
    task_file, result_file, log_file = map(Path, arguments)
    _end_with_parent()
    _log_library_output()
    sys.excepthook = _error_writer(result_file)
    # Whatever a library has set up before would win otherwise.
    logging.basicConfig(filename=log_file, level=logging.INFO, format=LOG_FORMAT, force=True)
    logging.captureWarnings(True)
    with infrequent_garbage_collection():
        result = carry_out(TypeAdapter(task_type).validate_json(task_file.read_bytes()))
    result_file.write_text(json.dumps(result, ensure_ascii=False), encoding="utf-8")


def _log_line(module: str, line: str) -> None:
    """Logs a line of a process' log; a warning of this project's is one here too, and so reaches the terminal."""
    if warning := OWN_WARNING.fullmatch(line):
        level = logging.getLevelNamesMapping()[warning["level"]]
        logging.getLogger(warning["name"]).log(level, "%s", warning["message"])
    else:
        logger.info("%s: %s", module, line)


@contextlib.contextmanager
def _logged(log_file: Path, module: str) -> Iterator[None]:
    """Logs here, line by line and while it lasts, what a process writes to its own log."""
    ended = threading.Event()

    def follow() -> None:
        with log_file.open(encoding="utf-8", errors="replace") as log:
            unfinished, last = "", False
            while not last:
                last = ended.wait(READ_EVERY)  # what came before the end is read after it
                *lines, unfinished = (unfinished + log.read()).split("\n")
                for line in [*lines, unfinished] if last else lines:
                    if line:
                        _log_line(module, line)

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    try:
        yield
    finally:
        ended.set()
        follower.join()


@contextlib.contextmanager
def infrequent_garbage_collection() -> Iterator[None]:
    """Makes Python look for garbage less often, and not when it exits, for a fresh process' work.

    TensorFlow's import and its graphs make hundreds of thousands of objects that stay; going through them again and
    again takes a second or two of the start, and 3 s of the exit.
    """
    gc.set_threshold(100_000, 20, 20)
    yield
    gc.freeze()


@contextlib.contextmanager
def _terminal() -> Iterator[int | None]:
    """Yields a descriptor of where progress is drawn here, which is not always descriptor 2; None if that is no
    file."""
    try:
        terminal = os.dup(sys.stderr.fileno())
    except (AttributeError, io.UnsupportedOperation):
        yield None
        return
    try:
        yield terminal
    finally:
        os.close(terminal)


def _log_library_output() -> None:
    """Leaves standard error, as it was handed over, to ``sys.stderr`` alone; what libraries write there is logged."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    os.dup2(1, 2)  # standard output is the log


def _restore_terminal(terminal: int | None) -> None:
    """Takes off what a process that was killed in the middle of a bar leaves: the bar, and a hidden cursor."""
    if terminal is not None and os.isatty(terminal):
        os.write(terminal, f"{CLEAR_LINE}{SHOW_CURSOR}".encode())


def _end_with_parent() -> None:
    def watch() -> None:
        # Returns when the other end is closed. Not through sys.stdin, whose lock would be held when the process ends.
        os.read(0, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _error_writer(result_file: Path) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    """Returns an excepthook that leaves the error's message in the result file, and its trace in the log."""

    def hook(error_type: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        explains_itself = getattr(error, "user_message", False)
        told = {EXPLANATION: str(error)} if explains_itself else {ERROR: f"{error_type.__name__}: {error}"}
        told[ERROR_TYPE] = error_type.__name__
        result_file.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
        logging.getLogger(__name__).error("Failed", exc_info=(error_type, error, trace))

    return hook
