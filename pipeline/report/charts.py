"""Curves, bars and pairs of dots, as pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.report.drawing import Area, Box, Dot, Label, Line, Picture, Point, Role, Shape, text_width
from pipeline.report.facts import Curve

TEXT = 12.0
SMALL = 11.0
TOP = 10.0
LINE_ROLES: tuple[Role, ...] = ("first", "second", "good", "cached")
WIDE_RANGE = 100
MOST_POINTS = 400  # more than a chart is wide in pixels tells nothing

Words = Callable[[float], str]


@dataclass(frozen=True)
class Axis:
    """Maps values to pixels, and names some of them."""

    low: float
    high: float
    first: float  # pixel of `low`
    last: float  # pixel of `high`
    ticks: tuple[float, ...]
    scale: Callable[[float], float] = float

    def at(self, value: float) -> float:
        """Returns the pixel of `value`."""
        low, high = self.scale(self.low), self.scale(self.high)
        return self.first + (self.last - self.first) * ((self.scale(value) - low) / (high - low) if high > low else 0.5)


def make_axis(values: Sequence[float], first: float, last: float, *, from_zero: bool = True, count: int = 5) -> Axis:
    """Returns an axis over `values` that ends on round numbers."""
    low, high = (min(0.0, *values) if from_zero else min(values)), max(values)
    if high <= low:
        high = low + (abs(low) or 1.0)
    step = _round_step((high - low) / count)
    start, end = math.floor(low / step), math.ceil(high / step - 1e-3)  # float32 is a little more than it says
    ticks = tuple(round(index * step, 12) for index in range(start, end + 1))
    return Axis(ticks[0], ticks[-1], first, last, ticks)


def make_logarithmic_axis(values: Sequence[float], first: float, last: float) -> Axis:
    """Returns an axis over `values`, all above 0, on which each power of ten is as long as the next."""
    start, end = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    ticks = tuple(float(f"1e{power}") for power in range(start, max(end, start + 1) + 1))
    return Axis(ticks[0], ticks[-1], first, last, ticks, scale=math.log10)


def _round_step(step: float) -> float:
    """Returns the next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * 0.999)


@dataclass(frozen=True)
class Mark:
    """A point of a chart that has a name."""

    point: Point
    name: str


def line_chart(
    curves: Sequence[Curve],
    *,
    width: float,
    height: float,
    words: Words,
    alternative: str,
    filled: bool,
    logarithmic: bool = False,
    mark: Mark | None = None,
) -> Picture:
    """Returns curves over optimizer steps, each named above the plot; the first is filled below if `filled`.

    Values are told apart by their factors if `logarithmic` allows it and the highest is `WIDE_RANGE` times the lowest.
    """
    drawn = [Curve(curve.name, thinned(curve.points)) for curve in curves]
    xs = [x for curve in drawn for x, _ in curve.points]
    y_values = [y for curve in drawn for _, y in curve.points]
    legend_rows = _legend_rows([curve.name for curve in drawn], width) if len(drawn) > 1 else []
    top = TOP + 20 * len(legend_rows)
    is_logarithmic = logarithmic and min(y_values) > 0 and max(y_values) >= WIDE_RANGE * min(y_values)
    y_axis = (make_logarithmic_axis if is_logarithmic else make_axis)(y_values, height - 38, top)
    left = max(text_width(words(tick), TEXT) for tick in y_axis.ticks) + 10
    x_axis = _axis_inside_picture(lambda end: make_axis(xs, left, end, count=max(int(width // 130), 2)), width, _step)
    shapes = _grid(x_axis, y_axis, width, height, words)
    for role, curve in reversed(list(zip(LINE_ROLES, drawn, strict=False))):
        if filled and role == "first":
            shapes += _fill(curve, x_axis, y_axis)
        shapes += _curve(curve, role, x_axis, y_axis, words)
    if mark:
        shapes += _mark(mark, x_axis, y_axis, words)
    for row, names in enumerate(legend_rows):
        shapes += _legend(names, TOP + 20 * row)
    return Picture(width, height, alternative, tuple(shapes))


def _axis_inside_picture(make: Callable[[float], Axis], width: float, words: Words) -> Axis:
    """Returns an axis short enough for its last number, which stands below its end, to be inside the picture."""
    last = make(width).ticks[-1]
    return make(width - max(text_width(words(last), TEXT) / 2, 12))


def _step(value: float) -> str:
    return f"{value:,.10g}"


def thinned(points: Sequence[Point], most: int = MOST_POINTS) -> tuple[Point, ...]:
    """Returns at most about `most` points that keep every peak: of each stretch, the lowest and the highest."""
    if len(points) <= most:
        return tuple(points)
    stretch = math.ceil(2 * len(points) / most)
    kept: list[Point] = []
    for start in range(0, len(points), stretch):
        part = points[start : start + stretch]
        kept += sorted({min(part, key=lambda point: point[1]), max(part, key=lambda point: point[1])})
    return tuple(kept)


def _grid(x_axis: Axis, y_axis: Axis, width: float, height: float, words: Words) -> list[Shape]:
    shapes: list[Shape] = []
    for tick in y_axis.ticks:
        y = y_axis.at(tick)
        shapes.append(Line(((x_axis.first, y), (x_axis.last, y)), "rule"))
        shapes.append(Label(x_axis.first - 8, y + 4, words(tick), TEXT, "muted", "end"))
    for tick in x_axis.ticks:
        shapes.append(Label(x_axis.at(tick), height - 20, _step(tick), TEXT, "muted", "middle"))
    shapes.append(Label((x_axis.first + x_axis.last) / 2, height - 4, "step", TEXT, "muted", "middle"))
    return shapes


def _fill(curve: Curve, x_axis: Axis, y_axis: Axis) -> list[Shape]:
    points = [(x_axis.at(x), y_axis.at(y)) for x, y in curve.points]
    base = y_axis.at(max(y_axis.low, 0.0))
    return [Area(((points[0][0], base), *points, (points[-1][0], base)), "first-soft")]


def _curve(curve: Curve, role: Role, x_axis: Axis, y_axis: Axis, words: Words) -> list[Shape]:
    points = tuple((x_axis.at(x), y_axis.at(y)) for x, y in curve.points)
    shapes: list[Shape] = [Line(points, role, 2.25 if role == "first" else 1.75)]
    if len(points) <= 60:
        for (x, y), (step, value) in zip(points, curve.points, strict=True):
            shapes.append(
                Dot(
                    x, y, 2.5 if role == "first" else 4, role, title=f"{curve.name}: {words(value)} at step {step:,.0f}"
                )
            )
    return shapes


def _mark(mark: Mark, x_axis: Axis, y_axis: Axis, words: Words) -> list[Shape]:
    """Returns a dashed line at the point's step with its name at the top, on the side where there is room."""
    (step, value), left_half = mark.point, mark.point[0] < (x_axis.low + x_axis.high) / 2
    x, y = x_axis.at(step), y_axis.at(value)
    return [
        Line(((x, y_axis.last), (x, y_axis.first)), "good", 1.5, dashed=True),
        Label(x + (6 if left_half else -6), y_axis.last + 12, mark.name, TEXT, "good", "start" if left_half else "end"),
        Dot(x, y, 5.5, "good", title=f"{mark.name}: {words(value)} at step {step:,.0f}"),
    ]


def _legend_rows(names: Sequence[str], width: float) -> list[list[tuple[Role, str, float]]]:
    """Returns (role, name, x) of each curve, on as many rows as are needed."""
    rows: list[list[tuple[Role, str, float]]] = [[]]
    x = 0.0
    for role, name in zip(LINE_ROLES, names, strict=False):
        wide = 26 + text_width(name, TEXT) + 20
        if rows[-1] and x + wide > width:
            rows.append([])
            x = 0.0
        rows[-1].append((role, name, x))
        x += wide
    return rows


def _legend(names: Sequence[tuple[Role, str, float]], y: float) -> list[Shape]:
    shapes: list[Shape] = []
    for role, name, x in names:
        shapes += [Line(((x, y), (x + 18, y)), role, 2.5), Label(x + 24, y + 4, name, TEXT, "muted")]
    return shapes


@dataclass(frozen=True)
class Bar:
    """One bar: its length and what stands at its end."""

    name: str
    value: float
    words: str
    role: Role = "first"


def bar_chart(bars: Sequence[Bar], *, width: float, alternative: str) -> Picture:
    """Returns horizontal bars, one below the other, each with its name above."""
    highest = max((bar.value for bar in bars), default=0.0) or 1.0
    room = width - max((text_width(bar.words, TEXT) for bar in bars), default=0.0) - 12
    shapes: list[Shape] = []
    for index, bar in enumerate(bars):
        y = 14 + index * 44
        long = max(room * bar.value / highest, 2)
        shapes.append(Label(0, y, bar.name, 13, "ink"))
        shapes.append(Box(0, y + 7, long, 14, bar.role, radius=3, title=f"{bar.name}: {bar.words}"))
        shapes.append(Label(long + 8, y + 18.5, bar.words, TEXT, "muted"))
    return Picture(width, max(len(bars) * 44 - 4, 1), alternative, tuple(shapes))


@dataclass(frozen=True)
class Column:
    """One group of a column chart: a share between 0 and 1 for each series."""

    name: str
    shares: tuple[float, ...]
    words: tuple[str, ...]


def column_chart(
    columns: Sequence[Column], series: Sequence[str], *, width: float, height: float, title: str, alternative: str
) -> Picture:
    """Returns groups of columns over a scale of shares, with a legend; as many are named as there is room for."""
    axis = make_axis([share for column in columns for share in column.shares] or [0.0], height - 22, 52.0, count=4)
    start = max(text_width(_share(tick), SMALL) for tick in axis.ticks) + 8
    step = (width - start) / max(len(columns), 1)
    widest = max((text_width(column.name, SMALL) for column in columns), default=0.0)
    every = max(math.ceil((widest + 6) / step), 1)
    shapes: list[Shape] = [Label(0, 13, title, 13, "ink", bold=True), *_legend(_legend_rows(series, width)[0], 32)]
    for tick in axis.ticks:
        shapes.append(Line(((start, axis.at(tick)), (width, axis.at(tick))), "rule"))
        shapes.append(Label(start - 6, axis.at(tick) + 4, _share(tick), SMALL, "muted", "end"))
    for index, column in enumerate(columns):
        middle = start + step * (index + 0.5)
        shapes += _columns(column, axis, middle, min((step - 6) / max(len(series), 1), 26))
        if index % every == 0:
            x = min(middle, width - text_width(column.name, SMALL) / 2)
            shapes.append(Label(x, height - 6, column.name, SMALL, "muted", "middle"))
    return Picture(width, height, alternative, tuple(shapes))


def _columns(column: Column, axis: Axis, middle: float, wide: float) -> list[Shape]:
    """Returns a group's columns side by side; one that is there can be seen."""
    left, base = middle - wide * len(column.shares) / 2, axis.at(0)
    shapes: list[Shape] = []
    for number, (share, words) in enumerate(zip(column.shares, column.words, strict=True)):
        tall, x = max(base - axis.at(share), 1.5), left + wide * number
        if share:
            shapes.append(Box(x + 1, base - tall, wide - 2, tall, LINE_ROLES[number], radius=2, title=words))
    return shapes


def _share(value: float) -> str:
    return f"{100 * value:.3g}%"


@dataclass(frozen=True)
class Pair:
    """A figure now, and before where there was one."""

    name: str
    now: float
    before: float | None


def pair_chart(pairs: Sequence[Pair], *, width: float, words: Words, alternative: str) -> Picture:
    """Draws each pair on a line of its own, over a common axis: a full dot now, a hollow one before."""
    values = [value for pair in pairs for value in (pair.now, pair.before) if value is not None]
    has_before = any(pair.before is not None for pair in pairs)
    names = max((text_width(pair.name, 13) for pair in pairs), default=0.0)
    above = names >= width * 0.45  # on a narrow picture names stand above their lines
    left = max(text_width(words(value), TEXT) for value in values) / 2 if above else names + 16
    row, top = (42.0 if above else 30.0), (34.0 if has_before else 8.0)
    height = top + row * len(pairs) + 24
    count = max(int((width - left) // 110), 2)
    axis = _axis_inside_picture(lambda end: make_axis(values, left, end, from_zero=False, count=count), width, words)
    shapes: list[Shape] = []
    if has_before:
        shapes += [Dot(6, 12, 5, "first"), Label(16, 16, "this model", TEXT, "muted")]
        shapes += [Dot(106, 12, 5, "second", hollow=True), Label(116, 16, "last blessed model", TEXT, "muted")]
    for tick in axis.ticks:
        shapes.append(Line(((axis.at(tick), top), (axis.at(tick), height - 22)), "rule"))
        shapes.append(Label(axis.at(tick), height - 6, words(tick), TEXT, "muted", "middle"))
    for index, pair in enumerate(pairs):
        y = top + row * index + (30 if above else 15)
        shapes.append(Label(0, y - 12, pair.name, 13) if above else Label(0, y + 4, pair.name, 13))
        shapes += _pair(pair, axis, y, words)
    return Picture(width, height, alternative, tuple(shapes))


def _pair(pair: Pair, axis: Axis, y: float, words: Words) -> list[Shape]:
    shapes: list[Shape] = []
    if pair.before is not None:
        shapes.append(Line(((axis.at(pair.before), y), (axis.at(pair.now), y)), "idle", 2))
        said = f"{pair.name}: last blessed model {words(pair.before)}"
        shapes.append(Dot(axis.at(pair.before), y, 5.5, "second", hollow=True, title=said))
    shapes.append(Dot(axis.at(pair.now), y, 5, "first", title=f"{pair.name}: {words(pair.now)}"))
    return shapes
