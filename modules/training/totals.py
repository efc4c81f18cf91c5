"""Totals of a batch, and the figures of optimizer steps from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from modules.training.callbacks.base import StepLogs


class BatchTotals(keras.metrics.Metric):
    """Holds the last batch's totals, float32 [3]: weighted loss, hits, supervised tokens.

    Args:
        parts: of the batch that devices sum up apart; each one's weights are for the mean of all.
    """

    NAME = "totals"

    def __init__(self, *, parts: int = 1) -> None:
        super().__init__(name=self.NAME)
        self.parts = parts
        self.totals = self.add_variable((3,), initializer="zeros", name="totals")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes float32 [N, 2] scores and float32 [N] weights."""
        used = ops.cast(sample_weight > 0, "float32")
        loss, hits = ops.sum(y_pred[:, 0] * sample_weight), ops.sum(y_pred[:, 1] * used)
        self.totals.assign(ops.stack([loss / self.parts, hits, ops.sum(used)]))

    def result(self) -> Any:
        """Returns float32 [3]."""
        return ops.convert_to_tensor(self.totals)


def step_logs(totals: Sequence[Any], *, last_step: int, accumulation_steps: int) -> list[StepLogs]:
    """Returns the figures of consecutive optimizer steps; waits until the last one is done.

    Args:
        totals: of all their batches, each float32 [3], of :class:`BatchTotals`.
        last_step: number of the last step, from 1.
        accumulation_steps: batches per step.
    """
    by_batch = np.stack([np.asarray(each) for each in totals])  # [batches, 3]
    by_step = by_batch.reshape(-1, accumulation_steps, 3).astype(np.float64)
    losses, sums = by_step[:, :, 0].mean(axis=1), by_step.sum(axis=1)
    first_step = last_step - len(by_step) + 1
    return [
        StepLogs(step=first_step + index, loss=float(loss), token_accuracy=float(hits / tokens), tokens=int(tokens))
        for index, (loss, (_, hits, tokens)) in enumerate(zip(losses, sums, strict=True))
    ]
