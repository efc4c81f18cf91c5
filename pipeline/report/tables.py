"""Plain text for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.report import wording
from pipeline.report.comparison import Comparison, Part
from pipeline.report.facts import RunFacts

WIDEST = 60  # characters of a cell; a reason or a path may be longer


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, indent: str = "") -> str:
    """Columns as wide as they need to be, parted by two spaces."""
    cells = [[_cut(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(indent + line for line in lines)


def _cut(cell: str) -> str:
    line = " ".join(cell.split())
    return line if len(line) <= WIDEST else f"{line[: WIDEST - 1]}…"


def list_runs(runs: Sequence[RunFacts]) -> str:
    """A line per run, the newest first."""
    newest_first = sorted(runs, key=lambda run: (run.started is not None, run.started, run.run_id), reverse=True)
    header = ["run", "started (UTC)", "took", "cached", "loss", "outcome"]
    rows = [_row(run) for run in newest_first]
    if len({run.pipeline_name for run in runs}) > 1:
        header.append("pipeline")
        rows = [[*row, run.pipeline_name] for row, run in zip(rows, newest_first, strict=True)]
    return table(header, rows)


def _row(run: RunFacts) -> list[str]:
    cached = sum(node.state == "cached" for node in run.nodes)
    overall = run.overall
    return [
        run.run_id,
        run.started.strftime("%Y-%m-%d %H:%M") if run.started else "–",
        wording.duration(run.recorded.get("seconds", run.seconds)),
        f"{cached} of {len(run.nodes)}",
        wording.metric("loss", overall.candidate.get("loss")) if overall else "–",
        wording.outcome(run),
    ]


def comparison_text(comparison: Comparison) -> str:
    """All parts, lines that differ marked with an asterisk."""
    return "\n\n".join(_parts(comparison))


def _parts(comparison: Comparison) -> Iterator[str]:
    header = ["", "", comparison.first.run_id, comparison.second.run_id, "change"]
    rows: list[list[str]] = []
    breaks: list[tuple[int, Part]] = []
    for part in comparison.parts:
        breaks.append((len(rows), part))
        rows += [
            ["*" if each.differs else "", each.name, each.first, each.second, each.change] for each in part.entries
        ]
    first, *lines = table(header, rows).splitlines()
    yield first
    for (start, part), end in zip(breaks, [*(at for at, _ in breaks[1:]), len(lines)], strict=True):
        remark = [f"   {part.remark}"] if part.remark else []
        yield "\n".join([part.title, *lines[start:end], *remark])
