"""The list of runs, and the comparison of two, for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from pipeline.report import formatting
from pipeline.report.comparison import Comparison, Entry, Part
from pipeline.report.facts import RunFacts
from pipeline.terminal_text import column_widths, render, table

WIDEST = 60  # characters of a cell; a reason or a path may be longer
INDENT = "   "  # as wide as the column of asterisks and the gap behind it


def list_runs(runs: Sequence[RunFacts]) -> str:
    """Returns a line per run, the newest first."""
    newest_first = sorted(runs, key=lambda run: (run.started is not None, run.started, run.run_id), reverse=True)
    header = ["run", "started (UTC)", "took", "cached", "loss", "outcome"]
    rows = [_row(run) for run in newest_first]
    if len({run.pipeline_name for run in runs}) > 1:
        header.append("pipeline")
        rows = [[*row, run.pipeline_name] for row, run in zip(rows, newest_first, strict=True)]
    return render(table([header, *rows], widest=WIDEST))


def _row(run: RunFacts) -> list[str]:
    cached = sum(node.state == "cached" for node in run.nodes)
    overall = run.overall
    return [
        run.run_id,
        run.started.strftime("%Y-%m-%d %H:%M") if run.started else "–",
        formatting.duration(run.total_seconds),
        f"{cached} of {len(run.nodes)}",
        formatting.metric("loss", overall.candidate.get("loss")) if overall else "–",
        formatting.outcome(run),
    ]


def comparison_text(comparison: Comparison) -> str:
    """Returns all parts, lines that differ marked with an asterisk."""
    header = ["", "", comparison.first.run_id, comparison.second.run_id, "change"]
    widths = column_widths([header, *(_cells(entry) for part in comparison.parts for entry in part.entries)])
    first = render(_table([header], widths))
    return "\n\n".join([first, *(_part(part, widths) for part in comparison.parts)])


def _part(part: Part, widths: Sequence[int]) -> str:
    rows = [_table([_cells(entry) for entry in part.entries], widths)] if part.entries else []
    remark = [f"{INDENT}{part.remark}"] if part.remark else []
    return render(part.title, *rows, *remark)


def _table(rows: Sequence[Sequence[str]], widths: Sequence[int]) -> Table:
    """Returns rows that stand in the same columns as those of the other parts."""
    return table(rows, widest=WIDEST, widths=widths)


def _cells(entry: Entry) -> list[str]:
    return ["*" if entry.differs else "", entry.name, entry.first, entry.second, entry.change]
