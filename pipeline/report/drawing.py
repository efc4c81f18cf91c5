"""A picture as shapes: the same ones become inline SVG in the page and a PNG file beside it.

Lengths are CSS pixels from the upper left corner. Colours are roles, not values: the page has a light and a dark
palette, a PNG the light one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal[
    "ink", "muted", "rule", "surface", "first", "second", "good", "good-soft", "bad", "bad-soft", "cached",
    "cached-soft", "idle", "idle-soft", "first-soft",
]  # fmt: skip
Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]

# Of the font size, in the widest of the usual system fonts (DejaVu Sans): nothing is cut in the others either.
CHARACTER_WIDTH = 0.58
_WIDTHS = {"%": 0.95, " ": 0.32, ",": 0.32, ".": 0.32} | dict.fromkeys("0123456789", 0.64)


@dataclass(frozen=True)
class Line:
    """A polyline; `curved` makes it one cubic Bézier curve of four points."""

    points: tuple[Point, ...]
    role: Role
    width: float = 1.0
    dashed: bool = False
    curved: bool = False


@dataclass(frozen=True)
class Area:
    """A filled polygon."""

    points: tuple[Point, ...]
    role: Role


@dataclass(frozen=True)
class Box:
    """A rectangle; `title` is shown when pointed at."""

    x: float
    y: float
    width: float
    height: float
    role: Role
    border: Role | None = None
    radius: float = 0.0
    dashed: bool = False
    title: str = ""


@dataclass(frozen=True)
class Dot:
    """A circle, hollow if `hollow`; `title` is shown when pointed at."""

    x: float
    y: float
    radius: float
    role: Role
    hollow: bool = False
    title: str = ""


@dataclass(frozen=True)
class Label:
    """One line of text on its baseline."""

    x: float
    y: float
    text: str
    size: float = 12.0
    role: Role = "ink"
    anchor: Anchor = "start"
    bold: bool = False


Shape = Line | Area | Box | Dot | Label


@dataclass(frozen=True)
class Picture:
    """Shapes in drawing order, and the sentence that stands for them where they cannot be seen."""

    width: float
    height: float
    alternative: str
    shapes: tuple[Shape, ...]


def text_width(text: str, size: float) -> float:
    """Returns about how wide `text` is."""
    return size * sum(_WIDTHS.get(character, CHARACTER_WIDTH) for character in text)
