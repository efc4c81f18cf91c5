"""Layout of the graph, axes and curves, and their two renderings."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from PIL import Image

from pipeline.report.charts import (
    Bar,
    Column,
    Mark,
    Pair,
    bar_chart,
    column_chart,
    line_chart,
    make_axis,
    pair_chart,
    thinned,
)
from pipeline.report.drawing import Box, Dot, Label, Line, Picture, text_width
from pipeline.report.facts import Curve, NodeFacts
from pipeline.report.graph import ACROSS, DOWN, draw_graph, layered, name_lines, reduced, routed
from pipeline.report.png import PALETTE, write_png
from pipeline.report.svg import svg

DIAMOND = [("A", "B"), ("A", "C"), ("B", "D"), ("C", "D")]


def test_an_edge_that_follows_from_others_is_left_out() -> None:
    assert reduced([("A", "B"), ("A", "C"), ("B", "C"), ("A", "D"), ("C", "D")]) == [("A", "B"), ("B", "C"), ("C", "D")]


def test_a_component_stands_behind_all_that_it_waits_for() -> None:
    assert layered(["A", "B", "C", "D"], DIAMOND) == [["A"], ["B", "C"], ["D"]]


def test_a_component_that_waits_for_none_stands_before_the_first_that_waits_for_it() -> None:
    assert layered(["A", "B", "Schema", "C"], [("A", "B"), ("B", "C"), ("Schema", "C")]) == [
        ["A"],
        ["B", "Schema"],
        ["C"],
    ]


def test_a_long_edge_has_a_place_of_its_own_in_every_layer_that_it_passes() -> None:
    edges = [("A", "B"), ("B", "C"), ("A", "X"), ("X", "C")]
    layers, routes = routed([["A"], ["B"], ["C"]], [("A", "B"), ("B", "C"), ("A", "C")])

    assert [len(layer) for layer in layers] == [1, 2, 1]
    assert routes[2][0] == "A"
    assert routes[2][1] in layers[1]
    assert layered(["A", "B", "X", "C"], edges) == [["A"], ["B", "X"], ["C"]]


@pytest.mark.parametrize("style", [ACROSS, DOWN])
def test_components_neither_overlap_nor_leave_the_picture(style: object) -> None:
    nodes = [NodeFacts(name, "done", 0, 1.0) for name in "ABCD"]
    picture = draw_graph(nodes, DIAMOND, style)  # type: ignore[arg-type]
    boxes = [shape for shape in picture.shapes if isinstance(shape, Box) and shape.border]

    assert len(boxes) == 4
    for box in boxes:
        assert 0 <= box.x <= box.x + box.width <= picture.width
        assert 0 <= box.y <= box.y + box.height <= picture.height
    for first in boxes:
        apart = [
            other.x >= first.x + first.width or first.x >= other.x + other.width
            or other.y >= first.y + first.height or first.y >= other.y + other.height
            for other in boxes if other is not first
        ]  # fmt: skip
        assert all(apart)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("ImportExampleGen", ["Import", "ExampleGen"]),
        ("HFPusher", ["HFPusher"]),
        ("BaselineResolver", ["Baseline", "Resolver"]),
        ("averyverylongname", ["averyverylongname"]),
    ],
)
def test_names_break_between_words(name: str, lines: list[str]) -> None:
    assert name_lines(name) == lines


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([1, 4.2], (0, 1, 2, 3, 4, 5)),
        ([0.0020000001], (0, 0.0005, 0.001, 0.0015, 0.002)),
        ([0], (0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        ([-1, 1], (-1, -0.5, 0, 0.5, 1)),
    ],
)
def test_axes_end_on_round_numbers(values: list[float], ticks: tuple[float, ...]) -> None:
    assert make_axis(values, 0, 100).ticks == pytest.approx(ticks)


def test_losses_that_fall_far_stand_on_a_logarithmic_scale() -> None:
    curve = Curve("loss", ((0.0, 10.0), (5.0, 0.1), (10.0, 0.001)))
    picture = line_chart(
        [curve], width=500, height=200, words="{:g}".format, alternative="Loss.", filled=True, logarithmic=True
    )
    labels = [shape.text for shape in picture.shapes if isinstance(shape, Label)]
    (line,) = (shape for shape in picture.shapes if isinstance(shape, Line) and shape.role == "first")

    assert [label for label in labels if label in ("0", "0.001", "0.01", "0.1", "1", "10")][:5] == [
        "0.001", "0.01", "0.1", "1", "10",
    ]  # fmt: skip
    (_, top), (_, middle), (_, bottom) = line.points
    assert middle - top == pytest.approx(bottom - middle)


def test_a_mark_is_named_on_the_side_where_there_is_room() -> None:
    curve = Curve("loss", ((0.0, 4.0), (10.0, 1.0)))
    for step, anchor in ((2.0, "start"), (10.0, "end")):
        mark = Mark((step, 1.0), "kept")
        picture = line_chart([curve], width=500, height=200, words=str, alternative="", filled=False, mark=mark)
        (label,) = (shape for shape in picture.shapes if isinstance(shape, Label) and shape.text == "kept")
        (line,) = (shape for shape in picture.shapes if isinstance(shape, Line) and shape.dashed)

        assert label.anchor == anchor
        assert [x for x, _ in line.points] == pytest.approx([label.x + (-6 if anchor == "start" else 6)] * 2)


def test_thinned_curves_keep_their_peaks_and_ends() -> None:
    points = [(float(step), 100.0 if step == 777 else step / 1000) for step in range(5000)]
    kept = thinned(points)

    assert len(kept) <= 402
    assert (777.0, 100.0) in kept
    assert kept[0] == (0.0, 0.0)
    assert kept[-1] == (4999.0, 4.999)
    assert list(kept) == sorted(kept)


def test_a_curve_runs_from_its_first_to_its_last_point() -> None:
    curve = Curve("loss", ((0.0, 4.0), (10.0, 0.0)))
    picture = line_chart([curve], width=500, height=200, words=str, alternative="Loss.", filled=False)
    (line,) = (shape for shape in picture.shapes if isinstance(shape, Line) and shape.role == "first")

    (left, top), (right, bottom) = line.points
    assert (round(right), round(top), round(bottom)) == (488, 10, 162)
    assert 0 < left < 60


def rough(value: float) -> str:
    return f"{value:.4g}"


LONG = Curve("training loss", ((1.0, 4.123), (99_000.0, 0.0012)))
PAIRS = [Pair("with_input=yes and a rather long prompt, too", 0.002512, 0.002468), Pair("all rows", 0.0025, None)]
BINS = [
    Column(f"to {10 ** (index // 3) * (1, 2, 5)[index % 3]}", (0.2, 0.01 * index), ("a", "b")) for index in range(11)
]


@pytest.mark.parametrize("width", [342, 528, 1110])
def test_no_number_or_name_leaves_its_picture(width: float) -> None:
    pictures = [
        line_chart([LONG], width=width, height=260, words=rough, alternative="", filled=True),
        pair_chart(PAIRS, width=width, words=rough, alternative=""),
        column_chart(BINS, ["train", "eval"], width=width, height=190, title="output", alternative=""),
        bar_chart([Bar("SavedModel", 4, "123.4 MiB")], width=width, alternative=""),
    ]
    for label in (shape for picture in pictures for shape in picture.shapes if isinstance(shape, Label)):
        long = text_width(label.text, label.size)
        start = label.x - {"start": 0.0, "middle": long / 2, "end": long}[label.anchor]
        assert start >= 0
        assert start + long <= width + 0.1


def test_a_histogram_has_a_scale_and_names_that_do_not_overlap() -> None:
    picture = column_chart(BINS, ["train", "eval"], width=342, height=190, title="output", alternative="")
    labels = [shape for shape in picture.shapes if isinstance(shape, Label)]
    names = [label for label in labels if label.anchor == "middle"]

    assert [label.text for label in labels if label.anchor == "end"] == ["0%", "5%", "10%", "15%", "20%"]
    assert len(names) > 2
    for before, after in itertools.pairwise(names):
        assert before.x + text_width(before.text, 11) / 2 < after.x - text_width(after.text, 11) / 2


def test_bars_are_as_long_as_their_values() -> None:
    picture = bar_chart([Bar("a", 4, "4 B"), Bar("b", 1, "1 B")], width=300, alternative="Sizes.")
    boxes = [shape for shape in picture.shapes if isinstance(shape, Box)]

    assert boxes[0].width == pytest.approx(4 * boxes[1].width)


def test_pairs_show_now_full_and_before_hollow() -> None:
    picture = pair_chart([Pair("all", 1.0, 2.0)], width=500, words=str, alternative="Loss.")
    dots = {shape.hollow: shape.x for shape in picture.shapes if isinstance(shape, Dot) and shape.title}

    assert dots[True] > dots[False]


def test_svg_escapes_what_it_is_given() -> None:
    shapes = (Label(0, 0, "<b>"), Box(0, 0, 1, 1, "ink", title='"&'), Dot(0, 0, 1, "ink", title="</svg>"))
    text = str(svg(Picture(10, 10, '"><script>', shapes), "wide"))

    assert text.count("<") == text.count(">")
    assert "<b>" not in text
    assert "<script>" not in text
    assert "&lt;/svg&gt;" in text


def test_a_png_shows_the_shapes_in_the_light_palette(tmp_path: Path) -> None:
    write_png(Picture(20, 10, "A box.", (Box(5, 2, 10, 6, "first"), Line(((0, 0), (20, 10)), "bad", dashed=True))),
              tmp_path / "x.png")  # fmt: skip

    with Image.open(tmp_path / "x.png") as image:
        assert image.size == (2 * (20 + 32), 2 * (10 + 32))
        assert image.getpixel((0, 0)) == (255, 255, 255)
        assert "#{:02x}{:02x}{:02x}".format(*image.getpixel((2 * 22, 2 * 23))) == PALETTE["first"]  # type: ignore[misc]
