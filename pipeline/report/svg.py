"""A picture as inline SVG, coloured by the page's style sheet."""

from __future__ import annotations

from markupsafe import Markup, escape

from pipeline.report.drawing import Area, Box, Dot, Label, Line, Picture, Point, Shape


def svg(picture: Picture, css_class: str = "") -> Markup:
    """Returns the element; every text in it is escaped.

    Args:
        picture: what to draw.
        css_class: for the element.
    """
    body = Markup("").join(_shape(shape) for shape in picture.shapes)
    return Markup(
        '<svg class="{}" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">{}</svg>'
    ).format(
        css_class,
        *map(_number, (picture.width, picture.height, picture.width, picture.height)),
        picture.alternative,
        body,
    )


def _shape(shape: Shape) -> Markup:
    match shape:
        case Line():
            return _line(shape)
        case Area():
            return Markup('<polygon class="f-{}" points="{}"/>').format(shape.role, _points(shape.points))
        case Box():
            return _box(shape)
        case Dot():
            return _dot(shape)
        case Label():
            return _label(shape)


def _line(line: Line) -> Markup:
    if line.curved:
        start, *rest = (f"{_number(x)} {_number(y)}" for x, y in line.points)
        shape = Markup('<path d="M{}C{}"').format(start, " ".join(rest))
    else:
        shape = Markup('<polyline points="{}"').format(_points(line.points))
    dash = Markup(' stroke-dasharray="4 4"') if line.dashed else Markup("")
    return Markup('{} class="k-{}" fill="none" stroke-width="{}"{}/>').format(
        shape, line.role, _number(line.width), dash
    )


def _box(box: Box) -> Markup:
    classes = f"f-{box.role}" + (f" k-{box.border}" if box.border else "")
    dash = Markup(' stroke-dasharray="4 4"') if box.dashed else Markup("")
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="{}"{}>{}</rect>').format(
        classes, *map(_number, (box.x, box.y, box.width, box.height, box.radius)), dash, _title(box.title)
    )


def _dot(dot: Dot) -> Markup:
    classes = f"f-surface k-{dot.role}" if dot.hollow else f"f-{dot.role}"
    return Markup('<circle class="{}" cx="{}" cy="{}" r="{}" stroke-width="2">{}</circle>').format(
        classes, *map(_number, (dot.x, dot.y, dot.radius)), _title(dot.title)
    )


def _label(label: Label) -> Markup:
    weight = Markup(' font-weight="600"') if label.bold else Markup("")
    return Markup('<text class="f-{}" x="{}" y="{}" font-size="{}" text-anchor="{}"{}>{}</text>').format(
        label.role, *map(_number, (label.x, label.y, label.size)), label.anchor, weight, label.text
    )


def _title(text: str) -> Markup:
    return Markup("<title>{}</title>").format(text) if text else Markup("")


def _points(points: tuple[Point, ...]) -> Markup:
    return escape(" ".join(f"{_number(x)},{_number(y)}" for x, y in points))


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
