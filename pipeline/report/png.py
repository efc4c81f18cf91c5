"""A picture as a PNG file, drawn by Pillow in the light palette, at twice its size for sharp screens."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.report.drawing import Area, Box, Dot, Label, Line, Picture, Point, Role

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

FINE, SHARP = 4, 2  # drawn at the first scale, then reduced to the second: Pillow's own lines have jagged edges
MARGIN = 16
DASH = 4.0
PALETTE: dict[Role, str] = {
    "ink": "#17202c", "muted": "#5b6675", "rule": "#d9dee6", "surface": "#ffffff", "first": "#2458c5",
    "first-soft": "#dfe8fa", "second": "#b4540a", "good": "#14743c", "good-soft": "#e3f4e9", "bad": "#b3261e",
    "bad-soft": "#fbe6e4", "cached": "#4a5f94", "cached-soft": "#e9edf7", "idle": "#7a8494", "idle-soft": "#f2f4f7",
}  # fmt: skip


def write_png(picture: Picture, path: Path) -> None:
    """Draws `picture` into `path`."""
    from PIL import Image, ImageDraw

    size = picture.width + 2 * MARGIN, picture.height + 2 * MARGIN
    image = Image.new("RGB", (round(size[0] * FINE), round(size[1] * FINE)), PALETTE["surface"])
    pen = ImageDraw.Draw(image)
    for shape in picture.shapes:
        _draw(pen, shape)
    image.resize((round(size[0] * SHARP), round(size[1] * SHARP)), Image.Resampling.BOX).save(path)


def _draw(pen: ImageDraw, shape: Line | Area | Box | Dot | Label) -> None:
    match shape:
        case Line():
            _draw_line(pen, shape)
        case Area():
            pen.polygon([_scaled(point) for point in shape.points], fill=PALETTE[shape.role])
        case Box():
            corners = [_scaled((shape.x, shape.y)), _scaled((shape.x + shape.width, shape.y + shape.height))]
            outline = PALETTE[shape.border] if shape.border else None
            pen.rounded_rectangle(
                corners, shape.radius * FINE, fill=PALETTE[shape.role], outline=outline, width=round(1.2 * FINE)
            )
        case Dot():
            x, y = _scaled((shape.x, shape.y))
            fill = PALETTE["surface"] if shape.hollow else PALETTE[shape.role]
            pen.circle((x, y), shape.radius * FINE, fill=fill, outline=PALETTE[shape.role], width=2 * FINE)
        case Label():
            _draw_label(pen, shape)


def _draw_label(pen: ImageDraw, label: Label) -> None:
    from PIL import ImageFont

    font = ImageFont.load_default(label.size * FINE)  # Pillow's own, so that it looks the same everywhere
    anchor = {"start": "ls", "middle": "ms", "end": "rs"}[label.anchor]
    stroke = FINE // 4 if label.bold else 0
    colour = PALETTE[label.role]
    pen.text(_scaled((label.x, label.y)), label.text, fill=colour, font=font, anchor=anchor, stroke_width=stroke)


def _draw_line(pen: ImageDraw, line: Line) -> None:
    points = tuple(_curve(line.points)) if line.curved else line.points
    colour, width = PALETTE[line.role], max(round(line.width * FINE), 1)
    for part in _dashes(points) if line.dashed else [points]:
        pen.line([_scaled(point) for point in part], fill=colour, width=width, joint="curve")


def _scaled(point: Point) -> Point:
    return (point[0] + MARGIN) * FINE, (point[1] + MARGIN) * FINE


def _curve(points: tuple[Point, ...], parts: int = 24) -> Iterator[Point]:
    """Points along the cubic Bézier curve of four."""
    for index in range(parts + 1):
        t = index / parts
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
        yield (
            sum(weight * x for weight, (x, _) in zip(weights, points, strict=True)),
            sum(weight * y for weight, (_, y) in zip(weights, points, strict=True)),
        )


def _dashes(points: tuple[Point, ...]) -> Iterator[tuple[Point, Point]]:
    """Yields every other piece of the way along `points`, each DASH long."""
    walked = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        length = math.dist((x0, y0), (x1, y1))
        at = 0.0
        while at < length:
            step = min(DASH - walked % DASH, length - at)
            if int(walked // DASH) % 2 == 0:
                first, last = at / length, (at + step) / length
                yield (
                    (x0 + (x1 - x0) * first, y0 + (y1 - y0) * first),
                    (x0 + (x1 - x0) * last, y0 + (y1 - y0) * last),
                )
            at, walked = at + step, walked + step
