"""Mean figures of the current epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from modules.training.callbacks.base import TrainingCallback


class EpochMean(TrainingCallback):
    """Means over the steps of the current epoch.

    Args:
        steps_per_epoch: optimizer steps of an epoch.
    """

    async_safe = True

    def __init__(self, steps_per_epoch: int) -> None:
        super().__init__()
        self.steps_per_epoch = steps_per_epoch
        self.steps, self.losses, self.token_accuracies = 0.0, 0.0, 0.0  # the last two are sums

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch % self.steps_per_epoch == 0:
            self.steps, self.losses, self.token_accuracies = 0.0, 0.0, 0.0
        self.steps += 1
        self.losses += logs["loss"]
        self.token_accuracies += logs["token_accuracy"]

    @property
    def logs(self) -> dict[str, float]:
        """Returns ``loss`` and ``token_accuracy``."""
        return {"loss": self.losses / self.steps, "token_accuracy": self.token_accuracies / self.steps}

    def progress(self) -> list[float]:
        return [self.steps, self.losses, self.token_accuracies]

    def resume(self, step: int, progress: list[float], arrays: Mapping[str, np.ndarray]) -> None:
        self.steps, self.losses, self.token_accuracies = progress
