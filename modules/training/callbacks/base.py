"""The way callbacks are called during a training, and what a checkpoint keeps of them.

All are ``keras.callbacks.Callback``, whose hooks mean this here:

- ``on_train_batch_begin(batch)`` and ``on_train_batch_end(batch, logs)``: an optimizer step, however many batches it
  accumulates; `batch` counts them from 0 over the whole run, ``logs`` is :class:`StepLogs` with the step from 1;
- ``on_epoch_begin(epoch)`` and ``on_epoch_end(epoch, logs)``: a pass over the training split; ``logs`` has ``loss`` and
  ``token_accuracy``, and ``val_loss`` and ``val_token_accuracy`` if there was an evaluation in it;
- ``on_test_begin()``, ``on_test_batch_begin(batch)`` and ``on_test_end(logs)``: an evaluation; ``logs`` is
  :class:`StepLogs`, of the weights after its step.

To know a loss means to wait for its step, which holds up the next one on an accelerator. A callback with
``async_safe = True``, as Keras calls it, is told of the steps in their order, but not before their losses are read; one
of :class:`TrainingCallback` says for which steps it must be told at once, with the model's variables up to date; any
other is told of each step at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

import keras
import numpy as np


class StepLogs(TypedDict):
    """Figures of an optimizer step, or of an evaluation after it.

    Attributes:
        step: from 1.
        loss: mean over the supervised tokens, in nats.
        token_accuracy: share of them whose target was the likeliest token.
        tokens: how many there were.
    """

    step: int
    loss: float
    token_accuracy: float
    tokens: int


class TrainingCallback(keras.callbacks.Callback):
    """A callback that may be called at some steps only, and may have something for a checkpoint to keep."""

    async_safe = False  # True: may be told of steps later, when their losses are read
    callbacks: keras.callbacks.CallbackList  # all callbacks of the training, this one among them

    def is_due(self, step: int) -> bool:
        """Returns whether it must be told of a step before the next one begins."""
        return True

    def progress(self) -> Any:
        """Returns what a checkpoint must keep, as plain JSON."""
        return None

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Returns the arrays that a checkpoint must keep, under names of its own."""
        return {}

    def resume(self, step: int, progress: Any, arrays: Mapping[str, np.ndarray]) -> None:
        """Goes on after `step`, from what :meth:`progress` and :meth:`arrays` of the checkpoint's callback gave.

        `arrays` are all of the checkpoint's.
        """


def overrides(callback: keras.callbacks.Callback, *hooks: str) -> bool:
    """Returns whether a callback does anything in one of some hooks, such as ``on_epoch_end``."""
    return any(getattr(type(callback), hook) is not getattr(keras.callbacks.Callback, hook) for hook in hooks)
