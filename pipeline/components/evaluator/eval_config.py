"""The configuration's conditions as TFMA's EvalConfig."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

import tensorflow_model_analysis as tfma

from pipeline.evaluation import METRICS, Condition, Slice

METRICS_MODULE = "pipeline.components.evaluator.metrics"
SIGNATURE = "score"


def make_eval_config(
    thresholds: Sequence[Condition], against_baseline: Sequence[Condition], slices: Sequence[str]
) -> tfma.EvalConfig:
    """What TFMA computes and asks for.

    Args:
        thresholds: what must hold of every model.
        against_baseline: what must hold of the change against the last blessed model.
        slices: columns by whose values the metrics are reported.
    """
    conditions = [*thresholds, *against_baseline]
    sliced = dict.fromkeys(condition.rows for condition in conditions if condition.rows)
    return tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(signature_name=SIGNATURE)],
        slicing_specs=[
            tfma.SlicingSpec(),
            *(tfma.SlicingSpec(feature_keys=[column]) for column in slices),
            # One that a column above already gives would be computed twice.
            *(_slicing_spec(rows) for rows in sliced if rows.column not in slices),
        ],
        metrics_specs=[tfma.MetricsSpec(metrics=[_metric(name, thresholds, against_baseline) for name in METRICS])],
    )


def without_per_token_changes(config: tfma.EvalConfig) -> tuple[tfma.EvalConfig, list[str]]:
    """A copy that compares with the baseline only what does not depend on the tokenizer.

    Returns:
        The copy, and the metrics that are no longer compared.
    """
    copy = tfma.EvalConfig()
    copy.CopyFrom(config)
    dropped = []
    for metric in copy.metrics_specs[0].metrics:
        name = json.loads(metric.config)["name"]
        found = [per_slice.threshold for per_slice in metric.per_slice_thresholds]
        compared = [threshold for threshold in found if threshold.HasField("change_threshold")]
        if METRICS[name].per_token and compared:
            dropped.append(name)
            for threshold in compared:
                threshold.ClearField("change_threshold")
    return copy, dropped


def compares(config: tfma.EvalConfig) -> bool:
    """Whether anything is asked of the change against the last blessed model."""
    return any(
        per_slice.threshold.HasField("change_threshold")
        for metric in config.metrics_specs[0].metrics
        for per_slice in metric.per_slice_thresholds
    )


def _metric(name: str, thresholds: Sequence[Condition], changes: Sequence[Condition]) -> tfma.MetricConfig:
    metric = tfma.MetricConfig(class_name="ResponseMetric", module=METRICS_MODULE, config=json.dumps({"name": name}))
    by_rows: dict[Slice | None, tfma.MetricThreshold] = defaultdict(tfma.MetricThreshold)
    for condition in _about(name, thresholds):
        bounds = by_rows[condition.rows].value_threshold
        (bounds.upper_bound if condition.comparison == "<=" else bounds.lower_bound).value = condition.bound
    for condition in _about(name, changes):
        change = by_rows[condition.rows].change_threshold
        change.direction = (
            tfma.MetricDirection.LOWER_IS_BETTER
            if condition.comparison == "<="
            else tfma.MetricDirection.HIGHER_IS_BETTER
        )
        (change.relative if condition.relative else change.absolute).value = condition.bound
    for rows, threshold in by_rows.items():
        # A threshold without a slice would be TFMA's for every slice; the empty specification is all rows.
        per_slice = metric.per_slice_thresholds.add()
        per_slice.slicing_specs.append(_slicing_spec(rows) if rows else tfma.SlicingSpec())
        per_slice.threshold.CopyFrom(threshold)
    return metric


def _about(name: str, conditions: Iterable[Condition]) -> list[Condition]:
    return [condition for condition in conditions if condition.metric == name]


def _slicing_spec(rows: Slice) -> tfma.SlicingSpec:
    return tfma.SlicingSpec(feature_values={rows.column: rows.value})
