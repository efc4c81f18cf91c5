"""TFMA metrics over the ``score`` signature: per-row sums and counts in, token-weighted means out.

TFMA's stock MeanPrediction weighs every row alike, and reads 0 from a signature with several outputs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types

OUTPUTS = ("negative_log_likelihood", "tokens", "correct_tokens", "response_bytes")
LIKELIHOOD, TOKENS, CORRECT, BYTES, SCORED, ROWS = range(6)
SUMS = "_response_sums"


class ResponseSums(beam.CombineFn):
    """Adds rows up in float64: the outputs of the signature, the rows that were scored, and all rows."""

    def __init__(self, model_name: str, key: metric_types.MetricKey) -> None:
        super().__init__()
        self.model_name = model_name
        self.key = key

    def create_accumulator(self) -> np.ndarray:
        return np.zeros(6)

    def add_input(self, accumulator: np.ndarray, element: metric_types.StandardMetricInputs) -> np.ndarray:
        outputs = element.prediction
        if self.model_name:
            outputs = outputs[self.model_name]
        values = [np.asarray(outputs[name], np.float64).sum() for name in OUTPUTS]
        return accumulator + np.array([*values, values[TOKENS] > 0, 1.0])

    def merge_accumulators(self, accumulators: Iterable[np.ndarray]) -> np.ndarray:
        return np.sum(list(accumulators), axis=0)

    def extract_output(self, accumulator: np.ndarray) -> dict[metric_types.MetricKey, np.ndarray]:
        return {self.key: accumulator}


def value_of(name: str, sums: np.ndarray) -> float:
    """Returns the metric `name` from the sums of :class:`ResponseSums`; NaN where nothing was scored."""
    if name == "rows":
        return float(sums[ROWS])
    if name == "scored_rows":
        return float(sums[SCORED])
    if name == "tokens":
        return float(sums[TOKENS])
    if not sums[TOKENS]:
        return math.nan
    if name == "token_accuracy":
        return float(sums[CORRECT] / sums[TOKENS])
    if name == "bits_per_byte":
        return float(sums[LIKELIHOOD] / math.log(2) / sums[BYTES]) if sums[BYTES] else math.nan
    loss = float(sums[LIKELIHOOD] / sums[TOKENS])
    # Beyond this exponent a float overflows; NaN stays NaN.
    return loss if name == "loss" else math.inf if loss > 700 else math.exp(loss)


def _computations(name: str, model_names: Sequence[str] | None = None) -> list[Any]:
    computations: list[Any] = []
    for model_name in model_names or [""]:
        sums = metric_types.MetricKey(name=SUMS, model_name=model_name)
        key = metric_types.MetricKey(name=name, model_name=model_name)
        predictions = metric_types.StandardMetricInputsPreprocessor(
            include_filter={tfma.PREDICTIONS_KEY: {}}, include_default_inputs=False
        )
        # TFMA computes equal computations once, so all metrics share one pass.
        computations.append(
            metric_types.MetricComputation(
                keys=[sums], preprocessors=[predictions], combiner=ResponseSums(model_name, sums)
            )
        )
        computations.append(metric_types.DerivedMetricComputation(keys=[key], result=_derive(name, key=key, sums=sums)))
    return computations


def _derive(name: str, *, key: metric_types.MetricKey, sums: metric_types.MetricKey) -> Any:
    def result(metrics: dict[metric_types.MetricKey, Any]) -> dict[metric_types.MetricKey, float]:
        return {key: value_of(name, metrics[sums])}

    return result


class ResponseMetric(tfma.metrics.Metric):
    """One of the metrics that :mod:`pipeline.evaluation` names."""

    def __init__(self, name: str) -> None:
        super().__init__(_computations, name=name)
