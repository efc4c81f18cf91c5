"""Keras' list of callbacks, counted in optimizer steps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from modules.training.callbacks.base import StepLogs, TrainingCallback, overrides
from modules.training.callbacks.epoch_mean import EpochMean
from modules.training.checkpoints import Checkpoint
from modules.training.model_state import synchronise
from modules.training.totals import BatchTotals, step_logs

READ_SECONDS = 1.0


class StepCallbackList(keras.callbacks.CallbackList):
    """Tells callbacks of optimizer steps, epochs and evaluations, as :mod:`modules.training.callbacks.base` says.

    Losses are read when a callback must be told at once, every `read_every` steps, and about once a second.

    Args:
        callbacks: told in this order.
        model: compiled with :class:`BatchTotals`.
        total_steps: optimizer steps of the whole run.
        steps_per_epoch: optimizer steps of an epoch.
        accumulation_steps: batches per optimizer step.
        read_every: optimizer steps after which losses are read in any case.
    """

    def __init__(
        self,
        callbacks: Sequence[keras.callbacks.Callback],
        *,
        model: keras.Model,
        total_steps: int,
        steps_per_epoch: int,
        accumulation_steps: int = 1,
        read_every: int = 10,
    ) -> None:
        self.epoch_mean = EpochMean(steps_per_epoch)
        super().__init__([*callbacks, self.epoch_mean], add_history=True, model=model)  # fit answers with the history
        self.set_params({"epochs": -(-total_steps // steps_per_epoch), "steps": steps_per_epoch})
        self.total_steps = total_steps
        self.steps_per_epoch = steps_per_epoch
        self.accumulation_steps = accumulation_steps
        self.read_every = read_every
        self.step = 0
        self._begun = [each for each in self.callbacks if overrides(each, "on_train_batch_begin", "on_batch_begin")]
        called = [each for each in self.callbacks if overrides(each, "on_train_batch_end", "on_batch_end")]
        self._late = [each for each in called if getattr(each, "async_safe", False)]
        self._at_once = [each for each in called if each not in self._late]
        self._needs_epochs = any(overrides(each, "on_epoch_begin", "on_epoch_end") for each in callbacks)
        self._unread: list[Any] = []
        self._batches = 0
        self._read_at = time.monotonic()
        self._validation: dict[str, float] = {}
        for callback in self._training_callbacks():
            callback.callbacks = self

    # ------------------------------------------------------------------------------------------------- Checkpoints

    def resume(self, checkpoint: Checkpoint) -> None:
        """Goes on from a checkpoint whose weights are in the model."""
        self.step = checkpoint.step
        kept = checkpoint.progress["callbacks"]
        for callback in self._training_callbacks():
            if (name := type(callback).__name__) in kept:
                callback.resume(self.step, kept[name], checkpoint.arrays)

    def progress(self) -> dict[str, Any]:
        """Returns what a checkpoint must keep of the callbacks, by their names, as plain JSON."""
        return {type(callback).__name__: callback.progress() for callback in self._training_callbacks()}

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns the arrays that a checkpoint must keep of the callbacks."""
        return {name: array for callback in self._training_callbacks() for name, array in callback.arrays().items()}

    def _training_callbacks(self) -> list[TrainingCallback]:
        return [callback for callback in self.callbacks if isinstance(callback, TrainingCallback)]

    # ------------------------------------------------------------------------------- Keras' fit, and an evaluation

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Does nothing: Keras takes the whole run for one epoch."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Ends the epoch that the run ends in the middle of."""
        if self.step % self.steps_per_epoch:
            self._end_epoch(self.step)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._batches % self.accumulation_steps:
            return
        if self._needs_epochs and (self._batches == 0 or self.step % self.steps_per_epoch == 0):
            super().on_epoch_begin(self.step // self.steps_per_epoch)
        for callback in self._begun:
            callback.on_train_batch_begin(self.step)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._unread.append(logs[BatchTotals.NAME])
        self._batches += 1
        if self._batches % self.accumulation_steps == 0:
            self.step += 1
            self._end_step()

    # Not Keras' own of these two, which would make all figures floats.
    def on_test_begin(self, logs: Any = None) -> None:
        for callback in self.callbacks:
            callback.on_test_begin(logs)

    def on_test_end(self, logs: Any = None) -> None:
        self._validation = {f"val_{name}": logs[name] for name in ("loss", "token_accuracy")}
        for callback in self.callbacks:
            callback.on_test_end(logs)

    # ----------------------------------------------------------------------------------------------- Steps, epochs

    def _end_step(self) -> None:
        due = [each for each in self._at_once if not isinstance(each, TrainingCallback) or each.is_due(self.step)]
        if not due and not self._must_read():
            return
        logs = self._read()
        if due:
            synchronise(self.model)
        for callback in due:
            callback.on_train_batch_end(self.step - 1, logs)
        if self.step % self.steps_per_epoch == 0:
            self._end_epoch(self.step)

    def _must_read(self) -> bool:
        return (
            self.step % self.read_every == 0
            or self.step == self.total_steps
            or (self._needs_epochs and self.step % self.steps_per_epoch == 0)
            or time.monotonic() - self._read_at >= READ_SECONDS
        )

    def _read(self) -> StepLogs:
        """Tells those that may be told late of all steps up to now; returns the last one's figures."""
        read = step_logs(self._unread, last_step=self.step, accumulation_steps=self.accumulation_steps)
        self._unread.clear()
        self._read_at = time.monotonic()
        for logs in read:
            for callback in self._late:
                callback.on_train_batch_end(logs["step"] - 1, logs)
            if logs["step"] % self.steps_per_epoch == 0 and logs["step"] < self.step:
                self._end_epoch(logs["step"])
        return read[-1]

    def _end_epoch(self, step: int) -> None:
        if self._needs_epochs:
            synchronise(self.model)
        super().on_epoch_end((step - 1) // self.steps_per_epoch, {**self.epoch_mean.logs, **self._validation})
        self._validation = {}
