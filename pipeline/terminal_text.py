"""Tables for the terminal: laid out by rich, as lines of text that a file can hold as well."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

GAP = 2
UNLIMITED = 10_000  # characters of a line: a terminal or a file breaks long ones as it likes


def render(*parts: RenderableType) -> str:
    """Returns what rich makes of `parts`, one below the other, without trailing spaces."""
    console = Console(
        file=io.StringIO(), width=UNLIMITED, color_system=None, highlight=False, markup=False, emoji=False
    )
    with console.capture() as captured:
        for part in parts:
            console.print(part, soft_wrap=isinstance(part, str))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def table(
    rows: Sequence[Sequence[str]], *, widest: int = UNLIMITED, widths: Sequence[int] = (), gap: int = GAP
) -> Table:
    """Returns a table without ruled lines.

    Args:
        rows: cells; what a cell holds stays on one line, and is shown as it is.
        widest: characters of a cell; a longer one ends in an ellipsis.
        widths: of the columns, at least; for tables that stand one below the other.
        gap: spaces between two columns.
    """
    made = Table.grid(padding=(0, gap, 0, 0))
    for number in range(len(rows[0]) if rows else 0):
        least = min(widths[number], widest) if widths else None
        made.add_column(no_wrap=True, overflow="ellipsis", min_width=least, max_width=widest)
    for row in rows:
        made.add_row(*(Text(one_line(cell)) for cell in row))
    return made


def column_widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """Returns how wide each column is, in characters of a terminal."""
    return [max(map(cell_len, map(one_line, column))) for column in zip(*rows, strict=True)]


def one_line(text: str) -> str:
    """Returns `text` with every run of white space as one space."""
    return " ".join(text.split())
