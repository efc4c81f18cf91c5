"""What a model is judged by: metrics, slices, and the conditions on them, as the configuration writes them.

A condition on every model: ``loss<=2.5``, ``rouge_l>=0.2``; for one slice: ``loss<=3@with_input=yes``.
A condition against the last blessed model says how much may be lost: ``bits_per_byte<=+0.02`` (at most 0.02 more),
``loss<=+5%`` (at most 5 % more), ``token_accuracy>=-0.01`` (at most one point less).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

Comparison = Literal["<=", ">="]


class MetricKind(NamedTuple):
    """What is known of a metric before it is computed.

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
    """What must hold of a metric, or of its change against the last blessed model.

    Attributes:
        metric: a key of METRICS or ANSWER_METRICS.
        comparison: of the metric, or its change, with `bound`.
        bound: in the metric's unit; relative ones as a fraction.
        relative: whether `bound` is a fraction of the last blessed model's value.
        rows: the slice that it is about; None for all rows.
    """

    metric: str
    comparison: Comparison
    bound: float
    relative: bool = False
    rows: Slice | None = None

    def __str__(self) -> str:
        """As the configuration writes it."""
        bound = f"{self.bound * 100:+.12g}%" if self.relative else f"{self.bound:.12g}"
        return f"{self.metric}{self.comparison}{bound}{f'@{self.rows}' if self.rows else ''}"


def parse_condition(text: str, *, is_change: bool) -> Condition:
    """A condition of the configuration.

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
    return Condition(metric, comparison, bound, bool(matched["percent"]), rows)


def parse_slice(text: str) -> Slice:
    """``column=value``; the values of the built-in columns are known.

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
    """All `texts` as conditions, each metric and slice bounded only once in each direction.

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


def of_answers(conditions: Iterable[Condition]) -> list[Condition]:
    """Those about the sample of answers."""
    return [condition for condition in conditions if condition.metric in ANSWER_METRICS]


def of_scores(conditions: Iterable[Condition]) -> list[Condition]:
    """Those about the scores of all rows."""
    return [condition for condition in conditions if condition.metric in METRICS]
