"""Writes pieces of Markdown that text from elsewhere cannot break out of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any


def fenced(text: str) -> str:
    """Returns `text` as a code block that its own backticks cannot end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text.rstrip(chr(10))}\n{fence}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table whose columns, all but the first, stand at the right."""
    lines = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(map(one_line, row))} |" for row in rows)])


def one_line(text: str) -> str:
    """Returns `text` as it may stand in a table's cell or a list."""
    return " ".join(text.split()).replace("|", "\\|")


def number(value: Any) -> str:
    """Returns four significant digits, or separators between thousands; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
