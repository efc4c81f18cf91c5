"""Pictures of a report: each wide for a desktop and narrow for a phone; the wide one also as a PNG."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.report import graph
from pipeline.report.charts import Bar, Column, Mark, Pair, bar_chart, column_chart, line_chart, pair_chart
from pipeline.report.drawing import Picture
from pipeline.report.facts import Curve, DataFacts, ExportFacts, RunFacts, SliceFacts, TrainingFacts
from pipeline.report.formatting import figure, size

WIDE, NARROW, HALF = 1110.0, 342.0, 528.0
SLICE_METRIC = "loss"


@dataclass(frozen=True)
class Figure:
    """One picture for two widths."""

    name: str
    wide: Picture
    narrow: Picture


def make_figures(facts: RunFacts) -> dict[str, Figure]:
    """Returns all pictures that the facts allow, by name."""
    return {made.name: made for made in _figures(facts)}


def _figures(facts: RunFacts) -> Iterator[Figure]:
    yield Figure(
        "dag",
        graph.draw_graph(facts.nodes, facts.edges, graph.ACROSS),
        graph.draw_graph(facts.nodes, facts.edges, graph.DOWN),
    )
    if facts.data:
        yield from _lengths(facts.data)
    if facts.training:
        yield from _curves("loss", facts.training.loss, "Loss", figure, mark=_kept(facts.training))
        yield from _curves("learning_rate", facts.training.learning_rate, "Learning rate", lambda rate: f"{rate:.3g}")
    if facts.evaluation and len(facts.evaluation.slices) > 1:
        yield _slices(facts.evaluation.slices)
    if facts.exports:
        yield _exports(facts.exports)


def _wide_and_narrow(name: str, draw: Callable[[float], Picture], *, wide: float = HALF) -> Figure:
    return Figure(name, draw(wide), draw(NARROW))


def _lengths(data: DataFacts) -> Iterator[Figure]:
    """Yields a chart per text column: which share of each split's rows has how long a text."""
    names = [feature.name for split in data.splits for feature in split.features if feature.lengths]
    for name in dict.fromkeys(names):
        by_split = {
            split.name: feature.lengths for split in data.splits for feature in split.features if feature.name == name
        }
        yield _length_chart(name, by_split)


def _length_chart(name: str, by_split: dict[str, tuple[tuple[int, int], ...]]) -> Figure:
    columns = _columns(by_split)
    values = "; ".join(f"{column.name}: {', '.join(column.words)}" for column in columns)
    return _wide_and_narrow(
        f"lengths_{name}",
        lambda width: column_chart(
            columns,
            list(by_split),
            width=width,
            height=190,
            title=f"{name}, characters",
            alternative=f"Rows by the length of their {name}. {values}.",
        ),
        wide=NARROW,
    )


def _columns(by_split: dict[str, tuple[tuple[int, int], ...]]) -> list[Column]:
    """Returns the lengths that occur, from the shortest to the longest."""
    bars = list(zip(*by_split.values(), strict=True))
    used = [index for index, counts in enumerate(bars) if any(count for _, count in counts)]
    totals = [sum(count for _, count in lengths) or 1 for lengths in by_split.values()]
    columns = []
    for index in range(used[0], used[-1] + 1) if used else ():
        bound = bars[index][0][0]
        name = "blank" if bound == 0 else f"over {bars[-2][0][0]}" if index == len(bars) - 1 else f"to {bound}"
        counts = [count for _, count in bars[index]]
        shares = tuple(count / total for count, total in zip(counts, totals, strict=True))
        words = tuple(f"{split} {share:.1%}" for split, share in zip(by_split, shares, strict=True))
        columns.append(Column(name, shares, words))
    return columns


def _kept(training: TrainingFacts) -> Mark | None:
    """Returns the weights that were kept, where a curve of evaluations shows what they were chosen from."""
    evaluated = {step for curve in training.loss if "evaluation" in curve.name for step, _ in curve.points}
    if training.kept is None or len(evaluated) < 2 or training.kept[0] not in evaluated:
        return None
    return Mark(training.kept, f"kept: step {training.kept[0]:,.0f}")


def _curves(
    name: str,
    curves: Sequence[Curve],
    title: str,
    words: Callable[[float], str],
    *,
    filled: bool = True,
    mark: Mark | None = None,
) -> Iterator[Figure]:
    drawn = sorted((curve for curve in curves if curve.points), key=_drawing_order)
    if sum(len(curve.points) for curve in drawn) < 2:
        return  # a point is no curve
    values = "; ".join(
        f"{curve.name} from {words(curve.points[0][1])} to {words(curve.points[-1][1])}" for curve in drawn
    ) + (f"; {mark.name}" if mark else "")

    def draw(width: float) -> Picture:
        return line_chart(
            drawn,
            width=width,
            height=260,
            words=words,
            alternative=f"{title} by step: {values}.",
            filled=filled,
            logarithmic=name == "loss",
            mark=mark,
        )

    yield _wide_and_narrow(name, draw)


def comparison_figures(first: RunFacts, second: RunFacts) -> Iterator[tuple[str, Figure]]:
    """Yields the title and the picture of each quantity of which both runs have a curve, one curve per run."""
    for title, name in (("Training loss", "loss"), ("Learning rate", "learning_rate")):
        curves = [_main_curve(run, name) for run in (first, second)]
        if all(curves):
            named = [
                Curve(f"run {run.run_id}", curve.points)
                for run, curve in zip((first, second), curves, strict=True)
                if curve
            ]
            words: Callable[[float], str] = figure if name == "loss" else "{:.3g}".format
            yield from ((title, made) for made in _curves(name, named, title, words, filled=False))


def _main_curve(run: RunFacts, name: str) -> Curve | None:
    curves: tuple[Curve, ...] = getattr(run.training, name) if run.training else ()
    in_order = sorted((curve for curve in curves if len(curve.points) > 1), key=_drawing_order)
    return in_order[0] if in_order else None


def _drawing_order(curve: Curve) -> tuple[bool, bool]:
    """Returns the key that puts training before evaluation; what starts anew with every epoch is only a backdrop."""
    return "since its epoch began" in curve.name, "evaluation" in curve.name


def _slices(slices: Sequence[SliceFacts]) -> Figure:
    pairs = [
        Pair(row.rows or "all rows", row.candidate[SLICE_METRIC], row.baseline.get(SLICE_METRIC))
        for row in slices
        if SLICE_METRIC in row.candidate
    ]
    values = "; ".join(
        f"{pair.name} {figure(pair.now)}" + (f", before {figure(pair.before)}" if pair.before is not None else "")
        for pair in pairs
    )
    return _wide_and_narrow(
        "slices",
        lambda width: pair_chart(pairs, width=width, words=figure, alternative=f"Loss by slice: {values}."),
        wide=WIDE,
    )


def _exports(exports: Sequence[ExportFacts]) -> Figure:
    bars = [Bar(export.name, float(export.size), size(export.size)) for export in exports]
    values = "; ".join(f"{bar.name} {bar.words}" for bar in bars)
    return _wide_and_narrow(
        "exports", lambda width: bar_chart(bars, width=width, alternative=f"Size of each form: {values}.")
    )
