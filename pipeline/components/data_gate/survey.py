"""Surveys a split's rows in one pass that keeps counts and hashes, never the rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from data.splits import asked, content_hash, normalised_row
from data.tfrecords import Row
from pipeline.components.data_gate.anomalies import Limits
from pipeline.components.data_gate.record import Lengths, SplitSurvey

BINS_PER_DOUBLING = 2
SHOWN = 3
_HASH_BYTES = 8  # enough to tell 100 million rows apart


@dataclass
class Finding:
    """The number of rows that have something in common, and the first few of them."""

    rows: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, quote: Callable[[], str]) -> None:
        """Counts a row; quotes it if it is one of the first."""
        self.rows += 1
        if len(self.examples) < SHOWN:
            self.examples.append(quote())


class Survey:
    """Counts what the rows of one split have in common.

    Memory: 16 bytes and Python's set entries per row, for the hashes.

    Args:
        limits: what counts as overlong.
        train: the train split's survey, for a split that must not repeat its prompts.
    """

    def __init__(self, limits: Limits, train: Survey | None = None) -> None:
        self._limits = limits
        self._train = train
        self._rows: set[bytes] = set()
        self._prompts: set[bytes] = set()
        self.rows = 0
        self.with_input = 0
        self.characters: dict[str, Counter[int]] = {"prompt": Counter(), "response": Counter()}  # by bin
        self.totals: Counter[str] = Counter()
        self.longest: dict[str, int] = {"prompt": 0, "response": 0}
        self.overlong, self.repeated, self.in_train = Finding(), Finding(), Finding()

    def add(self, row: Row, quote: Callable[[], str]) -> None:
        """Takes in a row.

        Args:
            row: the texts.
            quote: how to name the row, called for the first few of a kind.
        """
        self.rows += 1
        self.with_input += bool(row.input.strip())
        prompt, response = len(row.instruction) + len(row.input), len(row.output)
        for part, count in (("prompt", prompt), ("response", response)):
            self.characters[part][length_bin(count)] += 1
            self.totals[part] += count
            self.longest[part] = max(self.longest[part], count)
        if prompt > self._limits.prompt_characters or response > self._limits.response_characters:
            self.overlong.add(lambda: f"{quote()} ({prompt:,} and {response:,} characters)")
        self._compare(row, quote)

    def _compare(self, row: Row, quote: Callable[[], str]) -> None:
        prompt = _hash(asked(row))
        if self._train is not None:
            if prompt in self._train._prompts:
                self.in_train.add(quote)
            return
        self._prompts.add(prompt)
        whole = _hash(normalised_row(row))
        if whole in self._rows:
            self.repeated.add(quote)
        self._rows.add(whole)

    def summary(self) -> SplitSurvey:
        """Returns what the record keeps of it, to compare a later run with."""
        with_input = self.with_input / self.rows if self.rows else 0.0
        characters = {part: self._lengths(part) for part in self.characters}
        return SplitSurvey(rows=self.rows, with_input=with_input, characters=characters)

    def _lengths(self, part: str) -> Lengths:
        mean = self.totals[part] / self.rows if self.rows else 0.0
        bins = {str(number): count for number, count in sorted(self.characters[part].items())}
        return Lengths(mean=mean, longest=self.longest[part], bins=bins)


def length_bin(characters: int) -> int:
    """Returns the bin of a length; each is 1.4 times as wide as the one before."""
    return int(BINS_PER_DOUBLING * math.log2(1 + characters))


def divergence(first: Mapping[str, int], second: Mapping[str, int]) -> float:
    """Returns the Jensen-Shannon divergence of two histograms, base 2: 0 for the same shape, 1 for nothing in common
    (Lin 1991)."""
    return (_against_mean(first, second) + _against_mean(second, first)) / 2


def _against_mean(first: Mapping[str, int], second: Mapping[str, int]) -> float:
    total, other = sum(first.values()), sum(second.values())
    shares = ((count / total, second.get(key, 0) / other) for key, count in first.items() if count)
    return sum(share * math.log2(2 * share / (share + opposite)) for share, opposite in shares)


def _hash(texts: Sequence[str]) -> bytes:
    return content_hash(texts)[:_HASH_BYTES]
