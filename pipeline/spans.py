"""Patterns of files that new data is added to: ``span-{SPAN}/*-train*`` or ``{YYYY}-{MM}-{DD}/*-train*``.

ImportExampleGen takes the files of the newest span, or day, and of its newest ``{VERSION}``. Its own search
(https://github.com/tensorflow/tfx/blob/master/tfx/components/example_gen/utils.py) starts with importing TFX; this one
tells within milliseconds, before a run, what that will find.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

NUMBERS = ("SPAN", "VERSION")
DATE = {"YYYY": 4, "MM": 2, "DD": 2}  # digits
FIELD = re.compile(r"\{(SPAN|VERSION|YYYY|MM|DD)(?::([1-9][0-9]*))?\}")


class PatternError(ValueError):
    """A pattern that ImportExampleGen cannot follow."""

    user_message = True


class Span(NamedTuple):
    """A span of the data that a pattern matches; the greater is the newer."""

    place: tuple[int, ...]  # the span's number, or year, month and day; empty without either
    version: int  # 0 without one

    def __str__(self) -> str:
        name = "-".join(f"{part:02d}" for part in self.place) if len(self.place) > 1 else f"span {self.place[0]}"
        return f"{name}, version {self.version}" if self.version else name


class NewestFiles(NamedTuple):
    """The files that a run will read, and their span; no file where none matches."""

    paths: list[Path]
    span: Span | None  # of a pattern with one


def newest_files(folder: Path, pattern: str) -> NewestFiles:
    """Returns the files of the newest span in `folder`.

    Args:
        folder: where `pattern` starts.
        pattern: a glob that may hold ``{SPAN}`` or ``{YYYY}``, ``{MM}`` and ``{DD}``, and ``{VERSION}`` besides.

    Raises:
        PatternError: If it holds them in another way.
    """
    names = [name for name, _ in FIELD.findall(pattern)]
    if not names:
        return NewestFiles(sorted(folder.glob(pattern)), None)
    _check(pattern, names)
    found: dict[Span, list[Path]] = {}
    expression = re.compile(_expression(pattern))
    for path in sorted(folder.glob(_wide_glob(pattern))):
        if match := expression.fullmatch(path.relative_to(folder).as_posix()):
            found.setdefault(_span(match), []).append(path)
    if not found:
        return NewestFiles([], None)
    newest = max(found)
    return NewestFiles(found[newest], newest)


def _check(pattern: str, names: list[str]) -> None:
    dated = any(name in DATE for name in names)
    once = len(set(names)) == len(names)
    if once and ({*names} - {"VERSION"} in ({"SPAN"}, {*DATE})) and not (dated and re.search(r"\{[YMD]+:", pattern)):
        return
    raise PatternError(
        "A pattern names the newest data by {SPAN} or by {YYYY}, {MM} and {DD} together, each once, and may add "
        f"{{VERSION}}. Received: {pattern!r}."
    )


def _wide_glob(pattern: str) -> str:
    """Returns the pattern with `*` for each field; two in a row would mean any depth of folders."""
    return re.sub(r"[*\0]*\0[*\0]*", "*", FIELD.sub("\0", pattern))


def _expression(pattern: str) -> str:
    parts, end = [], 0
    for field in FIELD.finditer(pattern):
        name, width = field.groups()
        digits = f"{{{DATE.get(name, width)}}}" if name in DATE or width else "+"
        parts += [_glob(pattern[end : field.start()]), f"(?P<{name}>[0-9]{digits})"]
        end = field.end()
    return "".join([*parts, _glob(pattern[end:])])


def _glob(text: str) -> str:
    return re.escape(text).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")


def _span(match: re.Match[str]) -> Span:
    groups = match.groupdict()
    place = tuple(int(groups[name]) for name in ("SPAN", *DATE) if name in groups)
    return Span(place, int(groups.get("VERSION") or 0))
