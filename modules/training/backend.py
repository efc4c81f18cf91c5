"""Keras' backends: training runs in this process, or, on another backend than this process', in one of its own.

    python -m modules.training.backend TASK_FILE RESULT_FILE LOG_FILE

Keras chooses its backend once, when it is imported; the process that TFX runs Trainer in has TensorFlow's. What comes
back from either is the same: a KerasHub preset in ``exports/keras``, from which everything else is exported, and the
training's figures.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from modules.processes import run_apart, serve
from modules.training.task import Trained, TrainingTask

logger = logging.getLogger(__name__)

# Never imported beside JAX: it would take seconds, and could take the accelerator's memory.
ABSENT_ON_JAX = ("tensorflow", "tensorflow_text")


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
    return train(task) if backend == keras.backend.backend() else train_apart(task, backend)


def train_apart(task: TrainingTask, backend: str, *, environment: Mapping[str, str] | None = None) -> Trained:
    """Trains in a fresh process on `backend`.

    Args:
        task: what to do.
        backend: Keras' name of it.
        environment: further variables of the process.

    Raises:
        TrainingProcessError: If it fails; with the message of its error.
    """
    given = {"KERAS_BACKEND": backend, **(environment or {})}
    outcome = run_apart("modules.training.backend", task.to_json(), environment=given)
    logger.info("Training process on %s: %s", backend, outcome.log)
    if outcome.status != 0:
        raise TrainingProcessError(
            f"Training on {backend} runs in a process of its own, which must end well. Received: {outcome.cause}. "
            "The log has the rest."
        )
    return Trained(**outcome.result)


def leave_out_tensorflow(modules: dict[str, Any]) -> None:
    """Makes any import of TensorFlow fail as if it were not installed; `modules` is ``sys.modules``."""
    for name in ABSENT_ON_JAX:
        modules[name] = None


def carry_out(task: dict[str, Any]) -> dict[str, Any]:
    """The fresh process' work."""
    if os.environ["KERAS_BACKEND"] == "jax":
        leave_out_tensorflow(sys.modules)
    from modules.trainer import train

    return asdict(train(TrainingTask.from_json(task)))


if __name__ == "__main__":
    serve(sys.argv[1:], carry_out)
