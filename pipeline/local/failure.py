"""Finds the message of an error: TFX, Beam and TensorFlow wrap and chain errors; the user needs the one at the
bottom."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from pathlib import Path

DISK_FULL = re.compile(r"No space left on device|database or disk is full|Disk quota exceeded", re.IGNORECASE)


def message_of(error: BaseException, *, log: Path | None) -> str:
    """Returns the message for the user.

    Args:
        error: what ended the run.
        log: the log file, named where the message alone does not explain the error.
    """
    chain = list(_chain(error))
    where = f" The details are in {log}." if log else ""
    if any(map(is_disk_full, chain)):
        return (
            "The disk is full, so the run stopped; what earlier components made is kept. "
            f"Received: {_disk_full(next(filter(is_disk_full, chain)))}. "
            f"Free some space, or choose another --output-dir, and run again.{where}"
        )
    known = next((link for link in chain if getattr(link, "user_message", False)), None)
    if known is not None:
        return str(known)
    return f"{type(error).__name__}: {_first_line(error)}.{where}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields `error` and everything behind it, nearest first."""
    seen: set[int] = set()
    pending = [error]
    while pending:
        link = pending.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        behind = [
            link.__cause__,
            link.__context__,
            *(link.exceptions if isinstance(link, BaseExceptionGroup) else ()),
        ]
        pending.extend(other for other in behind if other is not None)


def is_disk_full(error: BaseException | None) -> bool:
    """Returns whether `error`, in whatever wrapping, says that no room is left."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return DISK_FULL.search(str(error)) is not None


def _disk_full(error: BaseException) -> str:
    """Returns the system's words, with the file's name; of a library's, only those about the disk."""
    words = DISK_FULL.search(str(error))
    return words[0] if words and not isinstance(error, OSError) else _first_line(error)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else "no message"
