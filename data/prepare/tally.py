"""Counts of what happened to the rows, which every task makes and the report adds up."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from data.cleaning.rules import Finding

PERCENTILES = (50, 90, 99, 100)
SAMPLES_PER_REASON = 3
_COUNTERS = ("counts", "dropped", "languages", "tokens", "characters", "scrubbed", "markers")
_SHOWN_CHARACTERS = 160


class Tally:
    """Counters by name, and a few samples of what was dropped, per reason.

    Attributes:
        counts: records read, rows kept and the like.
        dropped: rows by reason.
        languages: rows by the code of their language.
        tokens: rows by their number of tokens.
        characters: rows by the characters of their three texts together.
        scrubbed: findings by kind.
        markers: inputs that only say there is none, by their text.
        samples: by reason.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        given = values or {}
        for name in _COUNTERS:
            setattr(self, name, Counter[str](given.get(name, {})))
        self.samples: dict[str, list[dict[str, str]]] = {
            reason: list(samples) for reason, samples in given.get("samples", {}).items()
        }

    counts: Counter[str]
    dropped: Counter[str]
    languages: Counter[str]
    tokens: Counter[str]
    characters: Counter[str]
    scrubbed: Counter[str]
    markers: Counter[str]

    def drop(self, finding: Finding, location: str, text: str) -> None:
        """Counts a row that goes, and keeps the first few of each reason as samples."""
        self.dropped[finding.reason] += 1
        samples = self.samples.setdefault(finding.reason, [])
        if len(samples) < SAMPLES_PER_REASON:
            shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
            samples.append({"location": location, "detail": finding.detail, "text": shown})

    def as_dict(self) -> dict[str, Any]:
        """Returns plain JSON data; `Tally(data)` is the tally again."""
        return {name: dict(getattr(self, name)) for name in _COUNTERS} | {"samples": self.samples}


def added(tallies: Iterable[Mapping[str, Any]]) -> Tally:
    """Returns the sum of what `Tally.as_dict` gave; of samples, the first few of each reason."""
    total = Tally()
    for values in tallies:
        for name in _COUNTERS:
            getattr(total, name).update(values[name])
        for reason, samples in values["samples"].items():
            kept = total.samples.setdefault(reason, [])
            kept += samples[: SAMPLES_PER_REASON - len(kept)]
    return total


def percentiles(histogram: Mapping[str, int]) -> dict[str, int]:
    """Returns p50, p90, p99 and p100 of values that are given with their numbers (nearest rank); none without any."""
    values = sorted((int(value), count) for value, count in histogram.items())
    total = sum(count for _, count in values)
    return {f"p{percent}": _at_rank(values, math.ceil(total * percent / 100)) for percent in PERCENTILES if total}


def _at_rank(values: list[tuple[int, int]], rank: int) -> int:
    seen = 0
    for value, count in values:
        seen += count
        if seen >= max(rank, 1):
            return value
    raise AssertionError(f"rank {rank} of {seen}")
