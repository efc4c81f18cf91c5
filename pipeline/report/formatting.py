"""Numbers, sizes, times and states, to read."""

from __future__ import annotations

import math
from datetime import datetime

from modules.training_record import TrainingRecord
from pipeline.evaluation import KINDS
from pipeline.report.facts import RunFacts

SIZES = ("B", "KiB", "MiB", "GiB", "TiB")
COUNTS = ("tokens", "scored_rows", "rows")
NEITHER_WAY = (*COUNTS, "answer_characters")  # more of it is neither better nor worse
SHARES = ("token_accuracy", "exact_match", "stopped", "repetition")


def duration(seconds: float | None) -> str:
    """Returns 40 ms, 0.4 s, 92 s, 12 min 5 s, 3 h 2 min; a dash if unknown."""
    if seconds is None:
        return "–"
    if seconds < 120:
        if seconds < 0.095:
            return f"{seconds * 1000:.0f} ms"
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def steps(record: TrainingRecord) -> str:
    """Returns the optimizer steps that the Trainer did: 500 steps; 425 of 500 steps if it stopped early."""
    planned = f" of {record.planned_steps:,}" if record.stop_reason else ""
    return f"{record.steps:,}{planned} steps"


def size(count: float) -> str:
    """Returns a number of bytes with a binary unit: 512 B, 3.6 MiB."""
    unit = 0
    while count >= 1024 and unit < len(SIZES) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:.0f} {SIZES[unit]}" if not unit or count >= 100 else f"{count:.1f} {SIZES[unit]}"


def figure(value: float | None) -> str:
    """Returns four significant digits, large numbers with separators, a dash if there is none."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def metric(name: str, value: float | None) -> str:
    """Returns a metric's figure in its unit."""
    if value is None:
        return "–"
    if name in COUNTS:
        return f"{value:,.0f}"
    return f"{value:.1%}" if name in SHARES else figure(value)


def change(name: str, now: float | None, before: float | None) -> str:
    """Returns how a metric moved, with its sign; empty if there is nothing to compare."""
    if now is None or before is None or not math.isfinite(now - before):
        return ""
    if now == before:
        return "" if name in COUNTS else "±0"
    if name in SHARES:
        return f"{(now - before) * 100:+.1f} points"
    return f"{now - before:+,.0f}" if name in COUNTS else f"{now - before:+.3g}"


def is_better(name: str, now: float | None, before: float | None) -> bool | None:
    """Returns whether the metric moved the right way; None if it stayed, or neither way is better."""
    if now is None or before is None or now == before or name in NEITHER_WAY or name not in KINDS:
        return None
    return now < before if KINDS[name].better == "<=" else now > before


def readable(name: str) -> str:
    """Returns an identifier as words."""
    return {"rouge_l": "ROUGE-L", "bleu": "BLEU", "stopped": "ended by themselves"}.get(name, name.replace("_", " "))


def sentence(text: str) -> str:
    """Returns `text` with a capital letter."""
    return text[:1].upper() + text[1:]


def place(uri: str) -> str:
    """Returns the last parts of an artifact's address: Trainer/model/7."""
    return "/".join(uri.rstrip("/").split("/")[-3:])


def moment(time: datetime | None) -> str:
    """Returns a point in time, UTC."""
    return time.strftime("%-d %B %Y, %H:%M:%S UTC") if time else "unknown"


def outcome(facts: RunFacts) -> str:
    """Returns what came of the run, in one sentence."""
    match facts.outcome:
        case "failed" | "interrupted" | "killed" as end:
            where = next((f" in {node.node_id}" for node in facts.nodes if node.state == end), "")
            return f"{sentence(end)}{where}"
        case "running":
            now = next(node.node_id for node in facts.nodes if node.state == "running")
            return f"Running: {now}"
        case "finished":
            return "Finished; publishing was off"
        case "published":
            record = facts.publication.record if facts.publication else None
            again = "Already published as" if record and record.already_published else "Published as"
            return f"{again} {(record and record.revision) or 'a new revision'}"
        case "not published":
            judged = facts.evaluation is not None and not facts.evaluation.blessed
            return "Not blessed, so not published" if judged else "Not published"
