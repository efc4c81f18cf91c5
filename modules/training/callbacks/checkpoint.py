"""Checkpoints: written as a training goes on, and gone on from."""

from __future__ import annotations

import logging
from typing import Any

import keras

from modules.training.callbacks.base import TrainingCallback
from modules.training.callbacks.callback_list import StepCallbackList
from modules.training.callbacks.divergence import StepRows
from modules.training.checkpoints import Checkpoint, CheckpointFolder
from modules.training.model_state import capture, is_finite, restore

logger = logging.getLogger(__name__)


class CheckpointWriter(TrainingCallback):
    """Writes checkpoints of the model, its optimizer and all callbacks; belongs at the end of the list.

    Args:
        folder: of the training's checkpoints.
        every_steps: optimizer steps between two.
        total_steps: of the run, at whose end there is one in any case.
        rows: tells in errors what a step was about.

    Raises:
        DivergedError: If a weight is not finite.
    """

    callbacks: StepCallbackList

    def __init__(self, folder: CheckpointFolder, *, every_steps: int, total_steps: int, rows: StepRows) -> None:
        super().__init__()
        self.folder = folder
        self.every_steps = every_steps
        self.total_steps = total_steps
        self.rows = rows

    def is_due(self, step: int) -> bool:
        return step % self.every_steps == 0 and step < self.total_steps

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.save(batch + 1, has_finished=False)

    def on_train_end(self, logs: Any = None) -> None:
        self.save(self.callbacks.step, has_finished=True)

    def save(self, step: int, *, has_finished: bool) -> None:
        """Writes a checkpoint. A full disk costs the checkpoint, not the training."""
        arrays = capture(self.model)
        if not is_finite(arrays):
            raise self.rows.diverged(step, float("nan"), of="a weight")
        progress = {"finished": has_finished, "callbacks": self.callbacks.progress()}
        try:
            self.folder.save(step, arrays | self.callbacks.arrays(), progress)
        except OSError as error:
            logger.warning("The checkpoint of step %d could not be written; training goes on: %s", step, error)


def restore_newest(folder: CheckpointFolder, model: keras.Model, callbacks: StepCallbackList) -> Checkpoint | None:
    """Puts the newest checkpoint into a compiled model and its callbacks; returns it, or None if there is none.

    Raises:
        CheckpointMismatchError: If it holds other shapes.
    """
    found = folder.newest()
    if found is None:
        return None
    folder.claim()
    restore(model, found.arrays)
    callbacks.resume(found)
    logger.info("Training goes on from the checkpoint of step %d of %d.", found.step, callbacks.total_steps)
    return found
