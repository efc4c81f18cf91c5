"""Two runs side by side: what was asked for, what went in, what came out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from pipeline.evaluation import METRICS
from pipeline.report import formatting
from pipeline.report.facts import NodeFacts, RunFacts
from pipeline.report.formatting import duration, figure, metric

NONE = "–"


@dataclass(frozen=True)
class Entry:
    """One line: a value of each run.

    Attributes:
        change: from the first to the second, in words; empty if that says nothing.
        better: whether it is one for the better; None if it is neither.
    """

    name: str
    first: str
    second: str
    change: str = ""
    better: bool | None = None

    @property
    def differs(self) -> bool:
        """Returns whether the runs differ here."""
        return self.first != self.second


@dataclass(frozen=True)
class Part:
    """Entries under a title; `remark` tells of what is left out."""

    title: str
    entries: tuple[Entry, ...]
    remark: str = ""


@dataclass(frozen=True)
class Comparison:
    """The whole, in the order to read it."""

    first: RunFacts
    second: RunFacts
    parts: tuple[Part, ...]


def compare(first: RunFacts, second: RunFacts) -> Comparison:
    """Returns what changed from `first` to `second`."""
    runs = (first, second)
    parts = (
        Part("Outcome", tuple(_outcome(first, second))),
        _differing("Settings", runs, lambda run: run.settings),
        _differing("Code", runs, lambda run: _short(run.code)),
        _differing("Versions", runs, lambda run: run.versions),
        Part("Data", tuple(_data(first, second))),
        Part("Training", tuple(_training(first, second))),
        Part("Metrics", tuple(_metrics(first, second))),
        Part("Answers", tuple(_answers(first, second))),
        Part("Time", tuple(_times(first, second))),
        Part("Size of the exports", tuple(_sizes(first, second))),
    )
    return Comparison(first, second, tuple(part for part in parts if part.entries or part.remark))


def _entry(name: str, values: Iterable[str], change: str = "") -> Entry:
    first, second = values
    return Entry(name, first, second, change)


def _outcome(*runs: RunFacts) -> Iterator[Entry]:
    yield _entry("outcome", map(formatting.outcome, runs))
    yield _entry("started", (formatting.moment(run.started) for run in runs))
    verdicts = [
        None if run.evaluation is None else "blessed" if run.evaluation.blessed else "not blessed" for run in runs
    ]
    yield _entry("verdict", (verdict or NONE for verdict in verdicts))
    reasons = ["; ".join(run.evaluation.reasons) if run.evaluation else "" for run in runs]
    if any(reasons):
        yield _entry("reasons", (reason or NONE for reason in reasons))
    if any(run.failure for run in runs):
        yield _entry("failure", (run.failure or NONE for run in runs))


def _short(code: Mapping[str, str]) -> dict[str, str]:
    return {name: value[:12] for name, value in code.items()}


def _unknown(*runs: RunFacts, values: Callable[[RunFacts], Mapping[str, str]]) -> set[str]:
    """Returns the names that have no value in a run that broke off, because their component did not end there."""
    names = set(chain(*map(values, runs)))
    components = {name: component for run in runs for name, component in run.setting_components.items()}
    return {
        name
        for run in runs
        for name in (names - values(run).keys() if run.is_incomplete else ())
        if components.get(name, name) not in run.finished
    }


def _differing(title: str, runs: Sequence[RunFacts], values: Callable[[RunFacts], Mapping[str, str]]) -> Part:
    """Returns the part with only what differs: the rest is counted."""
    first, second = map(values, runs)
    unknown = _unknown(*runs, values=values)
    names = sorted((first.keys() | second.keys()) - unknown)
    entries = [Entry(name, first.get(name, NONE), second.get(name, NONE)) for name in names]
    different = tuple(entry for entry in entries if entry.differs)
    same = len(entries) - len(different)
    count = f"{same} more" if different else f"All {same}"
    remarks = [f"{count} {'is' if same == 1 else 'are'} the same."] if same else []
    if unknown:
        remarks.append(f"{len(unknown)} cannot be compared: a run broke off before it used them.")
    return Part(title, different, " ".join(remarks))


def _data(*runs: RunFacts) -> Iterator[Entry]:
    yield _entry("source", (run.data.source if run.data and run.data.source else NONE for run in runs))
    hashes = [run.data.content_hash if run.data else None for run in runs]
    if any(hashes):
        yield _entry("data hash", (each[:12] if each else NONE for each in hashes))
    tables = [_described(run) for run in runs]
    for name in dict.fromkeys(chain(*tables)):
        yield _entry(name, (table.get(name, NONE) for table in tables))


def _described(run: RunFacts) -> dict[str, str]:
    found = {}
    for split in run.data.splits if run.data else ():
        found[f"{split.name} rows"] = f"{split.rows:,}"
        for feature in split.features:
            found[f"{split.name} {feature.name}, mean characters"] = f"{feature.mean_length:.1f}"
    return found


def _training(*runs: RunFacts) -> Iterator[Entry]:
    records = [run.training.record if run.training else None for run in runs]
    for key, name, less_is_better in (
        ("parameters", "parameters", None),
        ("steps", "steps", None),
        ("train_loss", "training loss", True),
        ("eval_loss", "evaluation loss", True),
        ("seconds", "seconds", None),
        ("supervised_tokens_per_second", "response tokens/s", False),
    ):
        if any(records):
            yield _numbers(name, [getattr(record, key, None) for record in records], less_is_better=less_is_better)


def _numbers(name: str, values: Iterable[float | None], *, less_is_better: bool | None) -> Entry:
    first, second = values
    change, better = "", None
    if first is not None and second is not None and first != second:
        change = f"{second - first:+,.0f}" if isinstance(first, int) else f"{second - first:+.3g}"
        better = None if less_is_better is None else (second < first) == less_is_better
    return Entry(name, figure(first), figure(second), change, better)


def _metrics(*runs: RunFacts) -> Iterator[Entry]:
    """Yields the metrics of each slice that both or either has, all rows first."""
    tables = [{row.rows: row.candidate for row in run.evaluation.slices} if run.evaluation else {} for run in runs]
    for rows in sorted(set(chain(*tables))):
        for name in METRICS:
            values = [table.get(rows, {}).get(name) for table in tables]
            if rows and name in formatting.COUNTS and values[0] == values[1]:
                continue  # as many rows as in the run before: said by "all rows" already
            if any(value is not None for value in values):
                yield _metric_entry(f"{formatting.readable(name)}{f', {rows}' if rows else ''}", name, values)


def _metric_entry(title: str, name: str, values: Iterable[float | None]) -> Entry:
    first, second = values
    return Entry(
        title,
        metric(name, first),
        metric(name, second),
        formatting.change(name, second, first) if first != second else "",
        formatting.is_better(name, second, first),
    )


def _answers(*runs: RunFacts) -> Iterator[Entry]:
    tables = [run.quality.candidate if run.quality else {} for run in runs]
    for name in dict.fromkeys(chain(*tables)):
        yield _metric_entry(formatting.readable(name), name, [table.get(name) for table in tables])


def _times(first: RunFacts, second: RunFacts) -> Iterator[Entry]:
    totals = [run.total_seconds for run in (first, second)]
    yield _entry("in all", map(duration, totals), _saved(totals))
    tables = [{node.node_id: node for node in run.nodes} for run in (first, second)]
    for node_id in dict.fromkeys(chain(*tables)):
        nodes = [table.get(node_id) for table in tables]
        ran = [node.seconds if node and node.state == "done" else None for node in nodes]
        yield _entry(node_id, map(_duration_text, nodes), _saved(ran))


def _duration_text(node: NodeFacts | None) -> str:
    if node is None:
        return NONE
    return duration(node.seconds) if node.state == "done" else node.state


def _saved(times: Iterable[float | None]) -> str:
    first, second = times
    if first is None or second is None or abs(second - first) < 0.1:
        return ""
    return f"{'+' if second > first else '-'}{duration(abs(second - first))}"


def _sizes(*runs: RunFacts) -> Iterator[Entry]:
    tables = [{export.name: export.size for export in run.exports} for run in runs]
    for name in dict.fromkeys(chain(*tables)):
        sizes = [table.get(name) for table in tables]
        yield _entry(name, (NONE if size is None else formatting.size(size) for size in sizes), _size_change(sizes))


def _size_change(sizes: Iterable[int | None]) -> str:
    first, second = sizes
    if first is None or second is None or first == second:
        return ""
    return f"{'+' if second > first else '-'}{formatting.size(abs(second - first))}"
