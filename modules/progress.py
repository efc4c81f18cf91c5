"""Progress of a long task on the terminal: a bar there, plain lines elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import time
from types import TracebackType
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn

logger = logging.getLogger(__name__)

CLEAR_LINE = "\r\033[K"
SHOW_CURSOR = "\033[?25h"


def progress_console(stream: IO[str] | None = None) -> Console:
    """Returns the console that progress is drawn on, as wide as its terminal.

    Args:
        stream: where to write; standard error by default.
    """
    stream = stream or sys.stderr
    # Of other descriptors than 0, 1 and 2 rich does not find the width by itself.
    width = os.get_terminal_size(stream.fileno()).columns if _is_terminal_file(stream) else None
    return Console(file=stream, highlight=False, width=width or None)


def _is_terminal_file(stream: IO[str]) -> bool:
    try:
        return os.isatty(stream.fileno())
    except OSError:  # a stream in memory
        return False


def progress_bar(doing: str, *columns: ProgressColumn, console: Console) -> Progress:
    """Returns a bar that leaves nothing behind on the terminal: what is being done, how much of it, `columns`, time."""
    return Progress(
        TextColumn(f"  {doing}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )


class PartsProgress:
    """Shows which part of some work is being done, and how many are.

    On a terminal that is a bar in place of the line that the cursor is on. Elsewhere every part that begins gets a
    plain line, and where they are only counted, a line tells how many are done now and then.

    Args:
        doing: such as ``exporting``.
        total: how many parts there are.
        line_seconds: time between plain lines about parts without a name.
        stream: where to write; standard error by default.
    """

    def __init__(self, doing: str, *, total: int, line_seconds: float = 10.0, stream: IO[str] | None = None) -> None:
        self.doing = doing
        self.total = total
        self.begun = self.done = 0
        self.line_seconds = line_seconds
        self.console = progress_console(stream)
        self.bar = progress_bar(doing, TextColumn("{task.fields[part]}"), console=self.console)
        self.task = self.bar.add_task(doing, total=total, part="")
        self._printed_at = time.monotonic()

    def __enter__(self) -> PartsProgress:
        if self.console.is_interactive:
            self.console.file.write(CLEAR_LINE)
            self.bar.start()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.console.is_interactive:
            self.bar.stop()

    def begin(self, part: str) -> None:
        """Shows the part that begins; the one before it is done."""
        self.bar.update(self.task, completed=self.begun, part=part)
        self.begun += 1
        self._print_line(f"{self.doing} {part}")

    def advance(self, count: int = 1) -> None:
        """Shows that `count` more parts are done, where they have no names."""
        self.done += count
        self.bar.update(self.task, completed=self.done)
        if time.monotonic() - self._printed_at >= self.line_seconds:
            self._print_line(f"{self.doing} {self.done:,} of {self.total:,}")

    def _print_line(self, line: str) -> None:
        self._printed_at = time.monotonic()
        logger.info("%s", line)
        if not self.console.is_interactive:
            self.console.print(f"  {line}", soft_wrap=True)
