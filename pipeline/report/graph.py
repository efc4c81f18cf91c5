"""The DAG as a picture: components in layers, an edge for each that must wait for another."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.report.drawing import Box, Label, Line, Picture, Point, Role, Shape
from pipeline.report.facts import NodeFacts, State
from pipeline.report.formatting import duration

ROLES: dict[State, tuple[Role, Role]] = {  # fill and border
    "done": ("good-soft", "good"),
    "cached": ("cached-soft", "cached"),
    "failed": ("bad-soft", "bad"),
    "interrupted": ("bad-soft", "bad"),
    "killed": ("bad-soft", "bad"),
    "running": ("idle-soft", "idle"),
    "not reached": ("idle-soft", "idle"),
}
BAR = 4.0
SMALLEST_SHARE = 0.02  # of the longest time; a bar of less is a speck
PASSING = "→ "  # begins the name of a place that an edge passes; no component is called so
PASSING_ROOM = 4.0


@dataclass(frozen=True)
class Style:
    """Sizes in the drawing, and the direction in which the layers follow each other."""

    across: bool  # layers from left to right; else from top to bottom
    width: float
    node_width: float
    node_height: float
    layer_gap: float
    row_gap: float


ACROSS = Style(across=True, width=1110, node_width=94, node_height=74, layer_gap=90, row_gap=26)
DOWN = Style(across=False, width=342, node_width=158, node_height=46, layer_gap=24, row_gap=14)


def draw_graph(nodes: Sequence[NodeFacts], edges: Iterable[tuple[str, str]], style: Style) -> Picture:
    """Returns the picture; a bar in each component is its share of the longest time."""
    ids = [node.node_id for node in nodes]
    needed = reduced([edge for edge in edges if edge[0] in ids and edge[1] in ids])
    layers, routes = routed(layered(ids, needed), needed)
    places, (width, height) = _places(layers, style)
    longest = max((node.seconds or 0 for node in nodes), default=0)
    shapes: list[Shape] = [line for route in routes for line in _route([places[stop] for stop in route], style)]
    for node in nodes:
        shapes += _node(node, places[node.node_id], longest, style)
    return Picture(width, height, _alternative(nodes), tuple(shapes))


def reduced(edges: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns `edges` without those that follow from others: A → C, where A → B → C."""
    after: dict[str, set[str]] = {}
    for first, second in edges:
        after.setdefault(first, set()).add(second)

    def reaches(start: str, goal: str) -> bool:
        return start == goal or any(reaches(each, goal) for each in after.get(start, ()))

    return [
        (first, second)
        for first, second in dict.fromkeys(edges)
        if not any(reaches(other, second) for other in after[first] if other != second)
    ]


def layered(ids: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Puts each component in the layer after the last of those that it waits for; one that waits for none stands
    right before the first that waits for it."""
    level = dict.fromkeys(ids, 0)
    for _ in ids:  # as many rounds as a path can be long
        for first, second in edges:
            level[second] = max(level[second], level[first] + 1)
    for each in ids:
        following = [level[second] for first, second in edges if first == each]
        if following and each not in {second for _, second in edges}:
            level[each] = min(following) - 1
    return [[each for each in ids if level[each] == depth] for depth in sorted(set(level.values()))]


def routed(
    layers: Sequence[Sequence[str]], edges: Sequence[tuple[str, str]]
) -> tuple[list[list[str]], list[list[str]]]:
    """Gives every edge a place in each layer that it passes, so that it runs beside the components there.

    Returns:
        The layers, components and passing edges ordered so that few edges cross; and of each edge its stops.
    """
    depth = {each: index for index, layer in enumerate(layers) for each in layer}
    filled = [list(layer) for layer in layers]
    routes = []
    for first, second in edges:
        passed = [f"{PASSING}{first} {second} {index}" for index in range(depth[first] + 1, depth[second])]
        for index, stop in enumerate(passed, start=depth[first] + 1):
            filled[index].append(stop)
        routes.append([first, *passed, second])
    before = {stop: [route[at - 1] for route in routes if stop in route[1:] for at in [route.index(stop)]]
              for layer in filled for stop in layer}  # fmt: skip
    ordered: list[list[str]] = []
    for layer in filled:
        rows = {stop: row / max(len(ordered[-1]) - 1, 1) for row, stop in enumerate(ordered[-1])} if ordered else {}
        heights = {stop: [rows[each] for each in before[stop] if each in rows] for stop in layer}
        ordered.append(sorted(layer, key=lambda stop: _mean(heights[stop])))
    return ordered, routes


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.5


def _places(layers: Sequence[Sequence[str]], style: Style) -> tuple[dict[str, Box], tuple[float, float]]:
    """Returns what room each component and each passing edge has, and the size of the whole."""
    deep = style.node_width if style.across else style.node_height  # along the layers
    lanes = [[_lane(stop, style) for stop in layer] for layer in layers]
    sides = [sum(layer) + style.row_gap * (len(layer) - 1) for layer in lanes]
    breadth = max([*sides, 0.0]) if style.across else style.width - 2
    step = deep + style.layer_gap
    if style.across:  # as wide as there is room for
        step = min((style.width - deep - 2) / max(len(layers) - 1, 1), step)
    start = (style.width - step * (len(layers) - 1) - deep) / 2 if style.across else 1
    places = {}
    for depth, (layer, widths, taken) in enumerate(zip(layers, lanes, sides, strict=True)):
        at = (breadth - taken) / 2
        for stop, lane in zip(layer, widths, strict=True):
            along, beside = start + depth * step, 1 + at
            x, y, width, height = (along, beside, deep, lane) if style.across else (beside, along, lane, deep)
            places[stop] = Box(x, y, width, height, "surface")
            at += lane + style.row_gap
    return places, (style.width, breadth + 2 if style.across else len(layers) * step - style.layer_gap + 2)


def _lane(stop: str, style: Style) -> float:
    if stop.startswith(PASSING):
        return PASSING_ROOM
    return style.node_height if style.across else style.node_width


def _route(stops: Sequence[Box], style: Style) -> Iterator[Line]:
    """Yields lines from the first stop to the last: curves between the layers, straight past what stands in them."""
    for number, (before, after) in enumerate(itertools.pairwise(stops)):
        if number:
            yield Line((_entry(before, style), _exit(before, style)), "idle", 1.5)
        start, end = _exit(before, style), _entry(after, style)
        if style.across:
            middle = (start[0] + end[0]) / 2
            points = (start, (middle, start[1]), (middle, end[1]), end)
        else:
            middle = (start[1] + end[1]) / 2
            points = (start, (start[0], middle), (end[0], middle), end)
        yield Line(points, "idle", 1.5, curved=True)


def _entry(box: Box, style: Style) -> Point:
    return (box.x, box.y + box.height / 2) if style.across else (box.x + box.width / 2, box.y)


def _exit(box: Box, style: Style) -> Point:
    x, y = _entry(box, style)
    return (x + box.width, y) if style.across else (x, y + box.height)


def _node(node: NodeFacts, box: Box, longest: float, style: Style) -> list[Shape]:
    fill, border = ROLES[node.state]
    title = f"{node.node_id}: {_describe(node)}"
    shapes: list[Shape] = [
        Box(box.x, box.y, box.width, box.height, fill, border, 8, dashed=node.state == "not reached", title=title)
    ]
    share = (node.seconds or 0) / longest if longest and node.state != "cached" else 0
    if share >= SMALLEST_SHARE:
        bar = (box.width - 16) * share
        shapes.append(Box(box.x + 8, box.y + box.height - BAR - 5, bar, BAR, border, radius=2, title=title))
    middle = box.x + box.width / 2
    lines = name_lines(node.node_id) if style.across else [node.node_id]
    top = box.y + (25.5 if style.across and len(lines) == 1 else 18)
    for index, line in enumerate(lines):
        shapes.append(Label(middle, top + 15 * index, line, 12.5, "ink", "middle", bold=True))
    state = box.y + (53 if style.across else 34)
    shapes.append(Label(middle, state, _short(node), 11.5, border, "middle"))
    return shapes


def name_lines(node_id: str) -> list[str]:
    """Returns a CamelCase name on at most two lines of about the same length."""
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[^A-Z]+|[A-Z]+", node_id)
    if len(node_id) <= 11 or len(words) < 2:
        return [node_id]
    halves = [("".join(words[:cut]), "".join(words[cut:])) for cut in range(1, len(words))]
    return list(min(halves, key=lambda parts: max(map(len, parts))))


def _short(node: NodeFacts) -> str:
    if node.seconds is None or node.state not in ("done", "failed", "killed"):
        return node.state
    return duration(node.seconds) if node.state == "done" else f"{node.state}, {duration(node.seconds)}"


def _describe(node: NodeFacts) -> str:
    if node.state == "cached":
        return f"cached{f', made by run {node.cached_from}' if node.cached_from else ''}"
    return f"{node.state}, {duration(node.seconds)}" if node.seconds is not None else node.state


def _alternative(nodes: Sequence[NodeFacts]) -> str:
    return "The pipeline's components. " + "; ".join(f"{node.node_id}: {_describe(node)}" for node in nodes) + "."
