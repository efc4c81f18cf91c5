"""The page's content that is not a fact itself: which sections there are, the figures on top, words for values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from pipeline.evaluation import METRICS
from pipeline.report import formatting
from pipeline.report.facts import RunFacts, State
from pipeline.report.figures import Figure

Tone = Literal["good", "bad", "idle", "cached", ""]

TONES: dict[State, Tone] = {
    "done": "good", "cached": "cached", "failed": "bad", "interrupted": "bad", "killed": "bad", "running": "idle",
    "not reached": "idle",
}  # fmt: skip
BADGES: dict[str, tuple[str, Tone]] = {
    "published": ("✓ blessed and published", "good"),
    "not published": ("✗ nothing published", "bad"),
    "finished": ("✓ finished", "good"),
    "failed": ("✗ failed", "bad"),
    "interrupted": ("✗ interrupted", "bad"),
    "killed": ("✗ killed", "bad"),
    "running": ("… running", "idle"),
}
HEADLINE = ("loss", "perplexity", "token_accuracy")
LINKS = ("url", "space_url")
PUBLICATION = {
    "repo_id": "repository", "revision": "revision", "commit": "commit", "url": "address", "space_repo_id": "Space",
    "space_url": "Space's address", "space_commit": "Space's commit",
}  # fmt: skip
ROWS = {
    "rows_read": "rows read", "rows_dropped": "too long, dropped", "rows_truncated": "prompt cut",
    "rows_split": "cut in pieces", "tokens": "tokens", "supervised_tokens": "response tokens",
    "packed_rows": "sequences", "pad_fraction": "padding",
}  # fmt: skip


@dataclass(frozen=True)
class Tile:
    """One figure on top of the page."""

    name: str
    figure: str
    remark: str = ""
    tone: Tone = ""


@dataclass(frozen=True)
class View:
    """Values for the template, in the order of the page."""

    title: str
    sentence: str
    badge: str
    tone: Tone
    run_seconds: float | None
    counts: str
    reasons: tuple[str, ...]
    tiles: tuple[Tile, ...]
    sections: tuple[tuple[str, str], ...]
    tones: Mapping[State, Tone]
    waits_for: Mapping[str, list[str]]
    gate_passed: bool
    length_figures: tuple[Figure, ...]
    training_facts: tuple[tuple[str, str], ...]
    row_facts: tuple[tuple[str, dict[str, str]], ...]
    metric_names: tuple[str, ...]
    has_baseline: bool
    exact_answers: str
    has_baseline_answers: bool
    exports_total: str
    publication_facts: tuple[tuple[str, str, str], ...]
    published_size: int
    code_facts: tuple[tuple[str, str], ...]


def make_view(facts: RunFacts, figures: Mapping[str, Figure]) -> View:
    """Returns the values that the template needs besides the facts."""
    sentence = formatting.outcome(facts)
    badge, tone = BADGES[facts.outcome]
    publication = facts.publication
    slices = facts.evaluation.slices if facts.evaluation else ()
    cached = sum(node.state == "cached" for node in facts.nodes)
    return View(
        title=f"{sentence} · run {facts.run_id}",
        sentence=sentence,
        badge=badge,
        tone=tone,
        run_seconds=facts.total_seconds,
        counts=f"{len(facts.nodes)} components, {cached} from cache",
        reasons=tuple(_reasons(facts)),
        tiles=tuple(_tiles(facts)),
        sections=tuple(_sections(facts)),
        tones=TONES,
        waits_for=_waits_for(facts),
        gate_passed=any(node.node_id == "DataGate" and node.state in ("done", "cached") for node in facts.nodes),
        length_figures=tuple(made for name, made in figures.items() if name.startswith("lengths_")),
        training_facts=tuple(_training(facts)),
        row_facts=tuple(_rows(facts)),
        metric_names=tuple(name for name in METRICS if any(name in row.candidate for row in slices)),
        has_baseline=any(row.baseline for row in slices),
        exact_answers=_exact(facts),
        has_baseline_answers=any(answer.baseline is not None for answer in facts.answers),
        exports_total=f"{formatting.size(sum(export.size for export in facts.exports))} in all.",
        publication_facts=tuple(_publication(facts)),
        published_size=sum(file.size for file in publication.files) if publication else 0,
        code_facts=tuple(_code(facts)),
    )


def _reasons(facts: RunFacts) -> Iterator[str]:
    """Yields why nothing was published."""
    if facts.failure:
        yield facts.failure
    elif facts.outcome == "failed":
        yield "The run kept no message: its log has the rest."
    elif facts.outcome == "killed":
        yield "The run ended without a word, as it does when its process is killed: its log has the rest."
    elif facts.outcome == "not published" and facts.publication and facts.publication.reason:
        yield formatting.sentence(facts.publication.reason)


def _sections(facts: RunFacts) -> Iterator[tuple[str, str]]:
    yield "pipeline", "Pipeline"
    present: Sequence[tuple[str, str, Any]] = (
        ("data", "Data", facts.data),
        ("training", "Training", facts.training),
        ("evaluation", "Evaluation", facts.evaluation),
        ("answers", "Answers", facts.answers),
        ("serving", "Serving proof", facts.proof),
        ("exports", "Exports", facts.exports),
        ("publication", "Publication", facts.publication),
    )
    yield from ((name, title) for name, title, part in present if part)
    yield "provenance", "Provenance"


def _tiles(facts: RunFacts) -> Iterator[Tile]:
    overall = facts.overall
    figures, earlier = (overall.candidate, overall.baseline) if overall else ({}, {})
    for name in (name for name in HEADLINE if name in figures):
        now, before = figures[name], earlier.get(name)
        better = formatting.is_better(name, now, before)
        moved = formatting.change(name, now, before)
        remark = f"{moved} vs the last blessed" if moved else ""
        remark = "as the last blessed" if now == before else remark
        yield Tile(formatting.readable(name), formatting.metric(name, now), remark, _tone(better))
    record = facts.training.record if facts.training else None
    if facts.quality:
        share = facts.quality.candidate.get("exact_match")
        yield Tile("exact answers", formatting.metric("exact_match", share), f"of {facts.quality.rows:,} asked")
    elif record and (answers := record.exact_answers):
        yield Tile("exact answers", f"{answers.share:.0%}", f"{answers.exact:,} of {answers.rows:,}")
    if record:
        yield Tile("parameters", f"{record.parameters:,}")
        yield Tile("training", formatting.duration(record.seconds), formatting.steps(record))
    if facts.data and facts.data.splits:
        counts = ", ".join(f"{split.name} {split.rows:,}" for split in facts.data.splits)
        yield Tile("rows", f"{sum(split.rows for split in facts.data.splits):,}", counts)


def _tone(better: bool | None) -> Tone:
    return "" if better is None else "good" if better else "bad"


def _waits_for(facts: RunFacts) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for before, after in facts.edges:
        result.setdefault(after, []).append(before)
    return result


def _training(facts: RunFacts) -> Iterator[tuple[str, str]]:
    record = facts.training.record if facts.training else None
    if record is None:
        return
    yield "training loss", formatting.figure(record.train_loss)
    yield "evaluation loss", formatting.figure(record.eval_loss)
    yield "evaluation token accuracy", formatting.metric("token_accuracy", record.eval_token_accuracy)
    if record.stop_reason:
        yield "stopped early", f"at step {record.steps:,} of {record.planned_steps:,}, because {record.stop_reason}"
    if record.kept_step not in (None, record.steps):
        yield "weights kept", f"those of step {record.kept_step:,}"
    if record.resumed_from:
        yield "resumed", f"from step {record.resumed_from:,}"
    yield "speed", f"{record.supervised_tokens_per_second:,.0f} response tokens/s"


def _rows(facts: RunFacts) -> Iterator[tuple[str, dict[str, str]]]:
    """Yields (split, figures by name), each split with the same names."""
    record = facts.training.record if facts.training else None
    splits = {split: counts.model_dump() for split, counts in record.data.items()} if record else {}
    names = {key: name for key, name in ROWS.items() if any(values[key] is not None for values in splits.values())}
    for split, values in splits.items():
        yield split, {name: _count(key, values[key]) for key, name in names.items()}


def _count(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1%}" if key == "pad_fraction" else f"{value:,.0f}"


def _exact(facts: RunFacts) -> str:
    known = [answer.exact for answer in facts.answers if answer.exact is not None]
    return f"{sum(known)} of these {len(known)} are the same as expected." if known else ""


def _publication(facts: RunFacts) -> Iterator[tuple[str, str, str]]:
    """Yields (name, value, address to link to or "")."""
    record = facts.publication.record.model_dump(include=set(PUBLICATION)) if facts.publication else {}
    for key, name in PUBLICATION.items():
        if record.get(key):
            value = str(record[key])
            is_link = key in LINKS and urlsplit(value).scheme in ("http", "https")
            yield name, value, value if is_link else ""


def _code(facts: RunFacts) -> Iterator[tuple[str, str]]:
    """Yields what the Trainer says of the code that it ran, and of the rows that it was given."""
    record = facts.training.record if facts.training else None
    if record is None:
        return
    for name, value in (("version", record.provenance.code.version), ("git commit", record.provenance.code.git_commit)):
        if value:
            yield name, value
    for split, digest in record.provenance.rows_sha256.items():
        yield f"{split} rows as trained on", digest
