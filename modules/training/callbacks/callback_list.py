"""Follows ``fit`` by optimizer steps: reads their losses, stops at one that is not finite, lets others act."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from modules.training.model_state import synchronise

READ_SECONDS = 1.0


class DivergedError(RuntimeError):
    """The loss, or a weight, became NaN or infinite."""

    user_message = True


class StepScores(NamedTuple):
    """How one optimizer step went.

    Attributes:
        step: from 1.
        loss: mean over the step's supervised tokens, in nats.
        token_accuracy: share of them whose target was the likeliest token.
        tokens: how many there were.
    """

    step: int
    loss: float
    token_accuracy: float
    tokens: int


Reader = Callable[[Sequence[StepScores]], None]


class Action(NamedTuple):
    """Something to do between two optimizer steps, with the model's variables up to date.

    Attributes:
        due: whether to do it after a step.
        act: does it, given the step; true ends the training.
    """

    due: Callable[[int], bool]
    act: Callable[[int], bool]


class BatchTotals(keras.metrics.Metric):
    """What the last batch summed up to, float32 [3]: weighted loss, hits, supervised tokens.

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
        """float32 [3]."""
        return ops.convert_to_tensor(self.totals)


class Loop(keras.callbacks.CallbackList):
    """Keras' list of callbacks that counts in optimizer steps.

    A loss is read only when it is needed, once a second at most otherwise: on an accelerator, reading one waits for its
    step, and holds up the next.

    Args:
        model: compiled with :class:`BatchTotals`.
        first_step: optimizer steps done before.
        total_steps: of the whole run.
        accumulation_steps: batches per optimizer step.
        read_every: optimizer steps after which losses are read in any case.
        readers: get the scores of steps as they are read, each once, in order.
        actions: done in their order, after the losses up to then have been read.
        diverged: makes the error for a step whose loss is not finite.
        callbacks: further ones of Keras' kind; each makes every batch wait.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        first_step: int,
        total_steps: int,
        accumulation_steps: int,
        read_every: int,
        readers: Sequence[Reader],
        actions: Sequence[Action],
        diverged: Callable[[StepScores], DivergedError],
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> None:
        super().__init__(list(callbacks), add_history=True, model=model)  # fit answers with the history
        self.step = first_step
        self.total_steps = total_steps
        self.accumulation_steps = accumulation_steps
        self.read_every = read_every
        self.readers = readers
        self.actions = actions
        self.diverged = diverged
        self._has_callbacks = bool(callbacks)
        self._unread: list[Any] = []
        self._batches = 0
        self._read_at = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._has_callbacks:
            super().on_train_batch_end(batch, logs)
        self._unread.append(logs[BatchTotals.NAME])
        self._batches += 1
        if self._batches % self.accumulation_steps == 0:
            self.step += 1
            self._after_step()

    def _after_step(self) -> None:
        due = [action for action in self.actions if action.due(self.step)]
        late = time.monotonic() - self._read_at >= READ_SECONDS
        if due or late or self.step % self.read_every == 0 or self.step == self.total_steps:
            self._read()
        if due:
            synchronise(self.model)
            answers = [action.act(self.step) for action in due]
            self.model.stop_training = self.model.stop_training or any(answers)

    def _read(self) -> None:
        unread = np.stack([np.asarray(totals) for totals in self._unread])  # [batches, 3]
        self._unread.clear()
        self._read_at = time.monotonic()
        by_step = unread.reshape(-1, self.accumulation_steps, 3).astype(np.float64)
        losses, sums = by_step[:, :, 0].mean(axis=1), by_step.sum(axis=1)
        first = self.step - len(by_step) + 1
        scores = [
            StepScores(first + index, float(loss), float(hits / tokens), int(tokens))
            for index, (loss, (_, hits, tokens)) in enumerate(zip(losses, sums, strict=True))
        ]
        good = next((index for index, score in enumerate(scores) if not math.isfinite(score.loss)), len(scores))
        for reader in self.readers if good else ():
            reader(scores[:good])
        if good < len(scores):
            raise self.diverged(scores[good])
