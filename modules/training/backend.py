"""Keras' backends: training runs in this process, or, on another backend than this process', in one of its own.

Keras chooses its backend once, when it is imported; the process that TFX runs Trainer in has TensorFlow's. What comes
back from either is the same: a KerasHub preset in ``exports/keras``, from which everything else is exported, and the
training's figures.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from modules.processes import run_in_subprocess
from modules.training.task import Trained, TrainingTask

logger = logging.getLogger(__name__)


class TrainingProcessError(RuntimeError):
    """The process that trains failed."""

    user_message = True


def run_task(task: TrainingTask, train: Callable[[TrainingTask], Trained]) -> Trained:
    """Trains with `train` if this process has the backend that is asked for, otherwise apart.

    Raises:
        TrainingProcessError: If it fails apart; with the message of its error.
    """
    import keras

    backend = task.settings.training.backend
    return train(task) if backend == keras.backend.backend() else train_in_subprocess(task, backend)


def train_in_subprocess(task: TrainingTask, backend: str, *, environment: Mapping[str, str] | None = None) -> Trained:
    """Trains in a fresh process on `backend`.

    Args:
        task: what to do.
        backend: Keras' name of it.
        environment: further variables of the process.

    Raises:
        TrainingProcessError: If it fails; with the message of its error.
    """
    given = {"KERAS_BACKEND": backend, **(environment or {})}
    outcome = run_in_subprocess("modules.training_process", task, environment=given)
    logger.info("Training process on %s: %s", backend, outcome.log)
    if outcome.status != 0:
        raise TrainingProcessError(
            f"Training on {backend} runs in a process of its own, which must end well. Received: {outcome.cause}. "
            "The log has the rest."
        )
    return Trained(**outcome.result)
