"""The configuration of TFMA: every metric, over all rows and by slice. It judges nothing; `Condition.holds` does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import tensorflow_model_analysis as tfma

from pipeline.evaluation import METRICS, Condition, Slice

METRICS_MODULE = "pipeline.components.evaluator.metrics"
SIGNATURE = "score"


def make_eval_config(conditions: Iterable[Condition], slices: Sequence[str]) -> tfma.EvalConfig:
    """Returns TFMA's configuration, without thresholds: those know no rounding, and no figure of 0 to compare with.

    Args:
        conditions: whose slices are measured too.
        slices: columns by whose values the metrics are reported.
    """
    sliced = dict.fromkeys(condition.rows for condition in conditions if condition.rows)
    return tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(signature_name=SIGNATURE)],
        slicing_specs=[
            tfma.SlicingSpec(),
            *(tfma.SlicingSpec(feature_keys=[column]) for column in slices),
            # One that a column above already gives would be computed twice.
            *(_slicing_spec(rows) for rows in sliced if rows.column not in slices),
        ],
        metrics_specs=[tfma.MetricsSpec(metrics=[_metric(name) for name in METRICS])],
    )


def _metric(name: str) -> tfma.MetricConfig:
    return tfma.MetricConfig(class_name="ResponseMetric", module=METRICS_MODULE, config=json.dumps({"name": name}))


def _slicing_spec(rows: Slice) -> tfma.SlicingSpec:
    return tfma.SlicingSpec(feature_values={rows.column: rows.value})
