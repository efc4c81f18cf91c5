"""TFMA's result as plain data and words: the metrics by slice, and every reason against the model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types

from pipeline.components.evaluator.metrics import SUMS, ResponseSums, value_of
from pipeline.evaluation import METRICS

CANDIDATE, BASELINE = tfma.CANDIDATE_KEY, tfma.BASELINE_KEY
Row = dict[str, Any]


def sliced_metrics(output_path: str) -> list[Row]:
    """Per slice: ``slice`` (``{}`` for all rows), ``candidate`` and, if there was one, ``baseline`` metrics.

    Args:
        output_path: the folder that TFMA wrote into.
    """
    rows = [_row(metrics) for metrics in tfma.load_metrics(output_path)]
    if not any(not row["slice"] for row in rows):  # TFMA has no metrics of no rows
        nothing = ResponseSums("", metric_types.MetricKey(SUMS)).create_accumulator()
        rows.append({"slice": {}, CANDIDATE: {name: value_of(name, nothing) for name in METRICS}})
    return sorted(rows, key=lambda row: (len(row["slice"]), sorted(row["slice"].items())))


def reasons(output_path: str, rows: Iterable[Row]) -> list[str]:
    """Why the model is not blessed; empty if it is.

    Args:
        output_path: the folder that TFMA wrote into.
        rows: from :func:`sliced_metrics`.
    """
    by_slice = {tuple(sorted(row["slice"].items())): row for row in rows}
    overall = by_slice[()]
    if not overall[CANDIDATE]["rows"]:
        return ["the evaluation split has no rows, so there is nothing to judge the model by"]
    if not overall[CANDIDATE]["tokens"]:
        return [
            f"no response of the evaluation split's {overall[CANDIDATE]['rows']:,.0f} rows fits into the model's "
            "context, so there is nothing to judge it by"
        ]
    result = tfma.load_validation_result(output_path)
    found = [
        _words(failure, by_slice[_slice_key(validation.slice_key)], _slice_words(validation.slice_key))
        for validation in result.metric_validations_per_slice
        for failure in validation.failures
    ]
    found += [f"no row is in the slice {_spec_words(spec)}" for spec in result.missing_slices]
    if not found and not result.validation_ok:
        raise ValueError(f"TFMA refuses a model for a reason. Received: none in {output_path}.")
    return found


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


def _slice_words(key: Any) -> str:
    parts = _slice_key(key)
    return f" where {' and '.join(f'{column}={value}' for column, value in parts)}" if parts else ""


def _spec_words(spec: Any) -> str:
    return ", ".join([*spec.feature_keys, *(f"{column}={value}" for column, value in spec.feature_values.items())])


def _words(failure: Any, row: Row, where: str) -> str:
    name = failure.metric_key.name
    value = row[CANDIDATE].get(name, math.nan)
    if not math.isfinite(value):
        return f"{name}{where} is {value}, which is no figure to judge by"
    if not failure.metric_key.is_diff:
        return f"{name}{where} is {figure(value)}, and {_bound_words(failure.metric_threshold.value_threshold)}"
    before = row[BASELINE].get(name, math.nan)
    change = failure.metric_threshold.change_threshold
    return (
        f"{name}{where} is {figure(value)}, {figure(abs(value - before))} {'more' if value > before else 'less'} than "
        f"the last blessed model's {figure(before)}, and at most {_allowed(change)} is allowed"
    )


def _bound_words(threshold: Any) -> str:
    bounds = []
    if threshold.HasField("lower_bound"):
        bounds.append(f"at least {figure(threshold.lower_bound.value)}")
    if threshold.HasField("upper_bound"):
        bounds.append(f"at most {figure(threshold.upper_bound.value)}")
    return f"must be {' and '.join(bounds)}"


def _allowed(change: Any) -> str:
    allowed = []
    if change.HasField("absolute"):
        allowed.append(figure(abs(change.absolute.value)))
    if change.HasField("relative"):
        allowed.append(f"{abs(change.relative.value):.3g} of it")
    return " or ".join(allowed)


def figure(value: float) -> str:
    """Four significant digits, large numbers with separators."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def summary(metrics: Mapping[str, float]) -> str:
    """The headline figures in a few words."""
    return (
        f"loss {metrics['loss']:.3f} · perplexity {figure(metrics['perplexity'])} · "
        f"token accuracy {metrics['token_accuracy']:.1%}"
    )
