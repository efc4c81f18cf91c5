"""TFMA's result as plain data: the metrics by slice, and what can be judged by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types

from pipeline.components.evaluator.metrics import SUMS, ResponseSums, value_of
from pipeline.evaluation import METRICS, Condition, Figures, Slice, Verdict, judge

CANDIDATE, BASELINE = tfma.CANDIDATE_KEY, tfma.BASELINE_KEY
Row = dict[str, Any]


def sliced_metrics(output_path: str) -> list[Row]:
    """Returns the metrics per slice: ``slice`` (``{}`` for all rows), ``candidate`` and, if there is one, ``baseline``.

    Args:
        output_path: the folder that TFMA wrote into.
    """
    rows = [_row(metrics) for metrics in tfma.load_metrics(output_path)]
    if not any(not row["slice"] for row in rows):  # TFMA has no metrics of no rows
        nothing = ResponseSums("", metric_types.MetricKey(SUMS)).create_accumulator()
        rows.append({"slice": {}, CANDIDATE: {name: value_of(name, nothing) for name in METRICS}})
    return sorted(rows, key=lambda row: (len(row["slice"]), sorted(row["slice"].items())))


def figures(rows: Iterable[Row], model: str) -> Figures:
    """Returns one model's figures by slice.

    Args:
        rows: from :func:`sliced_metrics`.
        model: CANDIDATE or BASELINE.
    """
    return {_slice_of(row): row[model] for row in rows if model in row}


def unmeasurable_reason(candidate: Mapping[str, float]) -> str | None:
    """Returns why there is nothing to judge a model by; None if there is.

    Args:
        candidate: the model's figures over all rows.
    """
    if not candidate["rows"]:
        return "the evaluation split has no rows, so there is nothing to judge the model by"
    if not candidate["tokens"]:
        return (
            f"no response of the evaluation split's {candidate['rows']:,.0f} rows fits into the model's context, so "
            "there is nothing to judge it by"
        )
    return None


def judge_scores(
    conditions: Iterable[Condition], rows: Sequence[Row], *, has_baseline: bool, same_tokenizer: bool
) -> list[Verdict]:
    """Holds every condition against the metrics.

    Args:
        conditions: what is asked for.
        rows: from :func:`sliced_metrics`.
        has_baseline: whether there is a model to compare with.
        same_tokenizer: whether both models cut text into the same tokens; if not, only what does not depend on it is
            compared.
    """
    now, before = figures(rows, CANDIDATE), figures(rows, BASELINE)
    verdicts = []
    for condition in conditions:
        comparable = has_baseline and (same_tokenizer or not needs_same_tokenizer(condition))
        verdicts += judge([condition], now, before if comparable else None)
    return verdicts


def needs_same_tokenizer(condition: Condition) -> bool:
    """Returns whether a condition compares figures that mean something else with another tokenizer."""
    return condition.is_change and METRICS[condition.metric].per_token


def _slice_of(row: Row) -> Slice | None:
    return next((Slice(column, value) for column, value in row["slice"].items()), None)


def _row(metrics: Any) -> Row:
    row: Row = {"slice": dict(_slice_key(metrics.slice_key)), CANDIDATE: {}}
    for entry in metrics.metric_keys_and_values:
        if entry.key.is_diff or entry.key.name not in METRICS:
            continue
        row.setdefault(entry.key.model_name or CANDIDATE, {})[entry.key.name] = entry.value.double_value.value
    return row


def _slice_key(key: Any) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((part.column, _slice_value(part)) for part in key.single_slice_keys))


def _slice_value(part: Any) -> str:
    value = getattr(part, part.WhichOneof("kind"))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
