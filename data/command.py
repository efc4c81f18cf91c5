"""The end of the commands that write TFRecords."""

from __future__ import annotations

import sys
from collections.abc import Callable

from data.errors import SourceError


def exit_status(command: Callable[[], str]) -> int:
    """Writes what `command` returns to standard output; returns 1 where it fails, with the reason on standard error."""
    try:
        sys.stdout.write(command())
    except (SourceError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0
