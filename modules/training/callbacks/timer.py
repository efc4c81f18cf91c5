"""Measures how long a training takes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from modules.training.callbacks.base import TrainingCallback


class TrainingTimer(TrainingCallback):
    """Measures the seconds of a training, those before a resumption included."""

    async_safe = True

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self._begun_at = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        self._begun_at = time.monotonic() - self.seconds  # as if it had not been interrupted

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seconds = time.monotonic() - self._begun_at

    def on_train_end(self, logs: Any = None) -> None:
        self.seconds = time.monotonic() - self._begun_at

    def progress(self) -> float:
        return self.seconds

    def resume(self, step: int, progress: float, arrays: Mapping[str, np.ndarray]) -> None:
        self.seconds = progress
