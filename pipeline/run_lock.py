"""The lock of an output folder: one run at a time may write to it, and anybody can see whether one does."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pipeline.errors import RunLockedError

POLL_SECONDS = 0.5
LOOK_SECONDS = 0.2  # a run that starts waits as long for those who only look


@contextmanager
def exclusive(lock: Path, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Holds `lock` while active; the system releases it even if the process is killed.

    Raises:
        RunLockedError: If another process still holds it after `wait_seconds`.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + max(wait_seconds, LOOK_SECONDS)
    with lock.open("a+") as file:
        while not (locked := _locked(file, fcntl.LOCK_EX)) and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(POLL_SECONDS, left))
        if not locked:
            file.seek(0)
            raise RunLockedError(
                "Only one run at a time may write to an output folder. "
                f"Received: {lock.parent} is in use by process {file.read().strip() or 'unknown'}. "
                "Wait for it, or choose another --output-dir."
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def is_held(lock: Path) -> bool:
    """Returns whether a process holds `lock`."""
    try:
        with lock.open() as file:
            return not _locked(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _locked(file: TextIO, kind: int) -> bool:
    """Locks `file`, unless another process has."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
