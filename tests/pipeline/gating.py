"""Limits for the data gate's tests."""

from __future__ import annotations

from pipeline.components.data_gate.anomalies import Limits

LIMITS = Limits(
    prompt_characters=100,
    response_characters=50,
    overlong=0.1,
    duplicates=0.1,
    eval_in_train=0.1,
    skew=0.1,
    drift=0.1,
)
