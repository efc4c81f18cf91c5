"""Metrics, slices, and the conditions on them by which a model is judged, as the configuration writes them.

A condition on every model: ``loss<=2.5``, ``rouge_l>=0.2``; for one slice: ``loss<=3@with_input=yes``.
A condition against the last blessed model says how much may be lost: ``bits_per_byte<=+0.02`` (at most 0.02 more),
``loss<=+5%`` (at most 5 % more), ``token_accuracy>=-0.01`` (at most one point less).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

Comparison = Literal["<=", ">="]
WORDS: dict[Comparison, str] = {"<=": "at most", ">=": "at least"}
# Relative to the figures compared: a sum of shares differs from what it means in the last binary digits.
ROUNDING = 1e-9


class MetricKind(NamedTuple):
    """Facts about a metric that are known before it is computed.

    Attributes:
        better: ``<=`` if less is better.
        per_token: whether it is about tokens, and so cannot be compared between tokenizers.
        meaning: in words, with its unit.
    """

    better: Comparison
    per_token: bool
    meaning: str


METRICS = {
    "loss": MetricKind("<=", True, "mean negative log-likelihood of a response token, in nats"),
    "perplexity": MetricKind("<=", True, "e to the power of the loss"),
    "token_accuracy": MetricKind(">=", True, "share of response tokens that the model finds likeliest, 0 to 1"),
    "bits_per_byte": MetricKind("<=", False, "negative log-likelihood of the responses per byte of text, in bits"),
    "tokens": MetricKind(">=", True, "response tokens, end tokens included"),
    "scored_rows": MetricKind(">=", False, "rows whose response fits into the model's context"),
    "rows": MetricKind(">=", False, "rows"),
}

# Of a sample of generated answers, beside the expected ones.
ANSWER_METRICS = {
    "exact_match": MetricKind(">=", False, "share of answers that are the expected text, 0 to 1"),
    "rouge_l": MetricKind(">=", False, "longest common subsequence of words with the expected answer, F1, 0 to 1"),
    "bleu": MetricKind(">=", False, "4-grams of words in common with the expected answers, 0 to 100"),
    "stopped": MetricKind(">=", False, "share of answers that end by themselves, not at the token limit, 0 to 1"),
    "answer_characters": MetricKind(">=", False, "mean length of the answers in characters"),
    "repetition": MetricKind("<=", False, "share of 4-grams of words in an answer that it had before, 0 to 1"),
}
KINDS = METRICS | ANSWER_METRICS

WITH_INPUT, PROMPT_LENGTH = "with_input", "prompt_length"
# Characters of instruction and input together, so that a row stays in its slice whatever the tokenizer.
PROMPT_LENGTHS = {"short": 100, "medium": 300, "long": None}  # up to so many
SLICE_VALUES: dict[str, tuple[str, ...]] = {WITH_INPUT: ("no", "yes"), PROMPT_LENGTH: tuple(PROMPT_LENGTHS)}
TEXT_COLUMNS = ("instruction", "input", "output")

CONDITION = re.compile(
    r"(?P<metric>\w+)(?P<comparison><=|>=)(?P<bound>[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(?P<percent>%?)(?:@(?P<slice>[^=@\s]+=[^@\s]+))?",
    re.IGNORECASE,
)


class ConditionError(ValueError):
    """A condition or a slice of the configuration makes no sense."""


class Slice(NamedTuple):
    """The rows whose `column` holds `value`."""

    column: str
    value: str

    def __str__(self) -> str:
        return f"{self.column}={self.value}"


class Condition(NamedTuple):
    """A condition on a metric, or on its change against the last blessed model.

    Attributes:
        metric: a key of METRICS or ANSWER_METRICS.
        comparison: of the metric, or its change, with `bound`.
        bound: in the metric's unit; relative ones as a fraction.
        relative: whether `bound` is a fraction of the last blessed model's value.
        rows: the slice that it is about; None for all rows.
        is_change: whether it is about the change.
    """

    metric: str
    comparison: Comparison
    bound: float
    relative: bool = False
    rows: Slice | None = None
    is_change: bool = False

    def __str__(self) -> str:
        """Returns the condition as the configuration writes it."""
        bound = f"{self.bound * 100:+.12g}%" if self.relative else f"{self.bound:.12g}"
        return f"{self.metric}{self.comparison}{bound}{f'@{self.rows}' if self.rows else ''}"

    @property
    def demand(self) -> str:
        """Returns what is asked for, in words: at most 2.5; at most 5 % more than before."""
        if not self.is_change:
            return f"{WORDS[self.comparison]} {self.bound:g}"
        size = f"{abs(self.bound) * 100:g} %" if self.relative else f"{abs(self.bound):g}"
        losing, gaining = ("more", "less") if self.comparison == "<=" else ("less", "more")
        return f"at least {size} {gaining} than before" if self.must_improve else f"at most {size} {losing} than before"

    @property
    def must_improve(self) -> bool:
        """Returns whether the change must be for the better, where others limit how much may be lost."""
        return self.is_change and (self.bound < 0 if self.comparison == "<=" else self.bound > 0)

    def allowed_change(self, before: float) -> float:
        """Returns the bound on the change against `before`, in the metric's unit."""
        return self.bound * (abs(before) if self.relative else 1)

    def holds(self, value: float | None, before: float | None = None) -> bool | None:
        """Returns whether a model meets the condition; None where there is no model to compare it with.

        The only rule: the Evaluator and AnswerQuality judge by it, and the report tells what they found. A bound that
        is reached exactly is met, whatever binary digits a figure was rounded to.

        Args:
            value: the model's figure; None, infinity and NaN meet no condition.
            before: the last blessed model's, for a condition on the change; infinity and NaN cannot be compared with,
                so nothing meets a condition against them. None if there is no such model.
        """
        if self.is_change and before is None:
            return None
        if value is None or not math.isfinite(value):
            return False
        if not self.is_change or before is None:
            return self._is_reached(value, limit=self.bound, scale=max(abs(value), abs(self.bound)))
        if not math.isfinite(before):
            return False
        limit = before + self.allowed_change(before)
        return self._is_reached(value, limit=limit, scale=max(abs(value), abs(before), abs(limit)))

    def _is_reached(self, value: float, *, limit: float, scale: float) -> bool:
        slack = ROUNDING * scale
        return value <= limit + slack if self.comparison == "<=" else value >= limit - slack


# A model's, by slice (None for all rows) and metric.
Figures = Mapping[Slice | None, Mapping[str, float]]


class Verdict(NamedTuple):
    """A condition held against a model's figure, and in a condition on the change, the last blessed model's.

    Attributes:
        passed: as :meth:`Condition.holds` gives it.
    """

    condition: Condition
    value: float | None
    before: float | None
    passed: bool | None

    @property
    def reason(self) -> str | None:
        """Returns what speaks against the model, in words; None if nothing does."""
        return self._words() if self.passed is False else None

    def as_dict(self) -> dict[str, Any]:
        """Returns what a component's report keeps of it, as JSON."""
        asked = {"condition": str(self.condition), "is_change": self.condition.is_change}
        return asked | {"value": self.value, "before": self.before, "passed": self.passed}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Verdict:
        """Reads back what :meth:`as_dict` gave."""
        condition = parse_condition(kept["condition"], is_change=kept["is_change"])
        return cls(condition, kept["value"], kept["before"], kept["passed"])

    def _words(self) -> str:
        condition, value, before = self.condition, self.value, self.before
        if value is None:
            return f"no row is in the slice {condition.rows}" if condition.rows else f"{condition.metric} is not known"
        named = f"{condition.metric}{f' where {condition.rows}' if condition.rows else ''}"
        if not math.isfinite(value):
            return f"{named} is {value}, which is no figure to judge by"
        if before is None:
            return f"{named} is {figure(value)}, and must be {WORDS[condition.comparison]} {figure(condition.bound)}"
        if not math.isfinite(before):
            return f"{named} of the last blessed model is {before}, which is no figure to compare {figure(value)} with"
        bound, direction = figure(abs(condition.allowed_change(before))), "more" if value > before else "less"
        return (
            f"{named} is {figure(value)}, {figure(abs(value - before))} {direction} than the last blessed model's "
            f"{figure(before)}, and at "
        ) + (f"least {bound} is demanded" if condition.must_improve else f"most {bound} is allowed")


def judge(conditions: Iterable[Condition], figures: Figures, before: Figures | None = None) -> list[Verdict]:
    """Holds every condition against a model's figures.

    Args:
        conditions: what is asked for.
        figures: the model's.
        before: the last blessed model's; None if there is no such model.
    """
    return [_verdict(condition, figures, before if condition.is_change else None) for condition in conditions]


def _verdict(condition: Condition, figures: Figures, before: Figures | None) -> Verdict:
    value = figures.get(condition.rows, {}).get(condition.metric)
    then = None if before is None else before.get(condition.rows, {}).get(condition.metric, math.nan)
    return Verdict(condition, value, then, condition.holds(value, then))


def reasons_against(verdicts: Iterable[Verdict]) -> list[str]:
    """Returns what speaks against the model, each reason once."""
    return list(dict.fromkeys(verdict.reason for verdict in verdicts if verdict.reason))


def figure(value: float) -> str:
    """Returns four significant digits; large numbers whole, with separators."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def parse_condition(text: str, *, is_change: bool) -> Condition:
    """Returns a condition of the configuration.

    Args:
        text: such as ``loss<=2.5``.
        is_change: whether it is about the change against the last blessed model.

    Raises:
        ConditionError: If it has another form, or names an unknown metric or slice.
    """
    matched = CONDITION.fullmatch(text)
    form = "metric<=+0.02, metric<=+5% or metric>=-0.01" if is_change else "metric<=2.5 or metric>=0.5"
    if matched is None or (matched["percent"] and not is_change):
        raise ConditionError(f"A condition has the form {form}, with @column=value for one slice. Received: {text!r}.")
    metric = matched["metric"]
    if metric not in KINDS:
        raise ConditionError(f"There is no such metric. Received: {text!r}. Take one of {', '.join(KINDS)}.")
    comparison: Comparison = "<=" if matched["comparison"] == "<=" else ">="
    if comparison != KINDS[metric].better and is_change:
        direction = "less" if KINDS[metric].better == "<=" else "more"
        raise ConditionError(
            f"Of {metric}, {direction} is better. Received: {text!r}. Write {metric}{KINDS[metric].better}…"
        )
    if metric in ANSWER_METRICS and matched["slice"]:
        raise ConditionError(
            f"Answers are judged as a whole: there are too few for slices. Received: {text!r}. "
            f"Remove @{matched['slice']}."
        )
    bound = float(matched["bound"]) / (100 if matched["percent"] else 1)
    rows = parse_slice(matched["slice"]) if matched["slice"] else None
    return Condition(metric, comparison, bound, bool(matched["percent"]), rows, is_change)


def parse_slice(text: str) -> Slice:
    """Returns the slice that ``column=value`` names; the values of the built-in columns are known.

    Raises:
        ConditionError: If a built-in column has no such value.
    """
    column, _, value = text.partition("=")
    check_column(column)
    known = SLICE_VALUES.get(column)
    if known is not None and value not in known:
        raise ConditionError(f"There is no such slice. Received: {text!r}. {column} is one of {', '.join(known)}.")
    return Slice(column, value)


def check_column(column: str) -> None:
    """Refuses the texts themselves: nearly every row would be a slice of its own.

    Raises:
        ConditionError: If `column` is one of them.
    """
    if column in TEXT_COLUMNS:
        raise ConditionError(
            f"Slices need a column with few values. Received: {column!r}, a text. "
            f"Take {', '.join(SLICE_VALUES)}, or a column of your own in the rows."
        )


def parse_all(texts: Sequence[str], *, is_change: bool) -> list[Condition]:
    """Returns all `texts` as conditions, each metric and slice bounded only once in each direction.

    Raises:
        ConditionError: For the first that makes no sense.
    """
    conditions = [parse_condition(text, is_change=is_change) for text in texts]
    seen: dict[tuple[object, ...], str] = {}
    for condition, text in zip(conditions, texts, strict=True):
        key = (condition.metric, condition.comparison, condition.relative, condition.rows)
        if key in seen:
            raise ConditionError(f"Two conditions are about the same. Received: {seen[key]!r} and {text!r}.")
        seen[key] = text
    return conditions


def answer_conditions(conditions: Iterable[Condition]) -> list[Condition]:
    """Returns the conditions about the sample of answers."""
    return [condition for condition in conditions if condition.metric in ANSWER_METRICS]


def score_conditions(conditions: Iterable[Condition]) -> list[Condition]:
    """Returns the conditions about the scores of all rows."""
    return [condition for condition in conditions if condition.metric in METRICS]
