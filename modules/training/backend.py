"""Training in a process of its own, on the Keras backend that is asked for.

Keras chooses its backend, TensorFlow and glibc how they keep memory, once, when a process starts; the process that TFX
runs Trainer in has started. What comes back is the same from all: a KerasHub preset in ``exports/keras``, from which
everything else is exported, and the training's figures. What the training took of memory goes with its process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from modules.cpu_environment import cpu_environment
from modules.processes import run_in_subprocess
from modules.training.callbacks.divergence import DivergedError
from modules.training.memory import OutOfMemoryError
from modules.training.task import Trained, TrainingTask


class TrainingProcessError(RuntimeError):
    """The process that trains ended without saying why."""

    user_message = True


class TrainingTaskError(ValueError):
    """The task cannot be trained as it is."""

    user_message = True


# What depends on the hyperparameters: a search goes on with others.
_ON_THE_WAY: Mapping[str, type[RuntimeError]] = {error.__name__: error for error in (DivergedError, OutOfMemoryError)}


def train_in_subprocess(task: TrainingTask, *, environment: Mapping[str, str] | None = None) -> Trained:
    """Trains in a fresh process on the backend that the task's settings name.

    Args:
        task: what to do.
        environment: further variables of the process.

    Raises:
        DivergedError: If the loss is not finite.
        OutOfMemoryError: If a batch does not fit.
        TrainingTaskError: If the task cannot be done, with the reason.
        TrainingProcessError: If the process is killed or crashes.
    """
    given = {"KERAS_BACKEND": task.settings.training.backend, **(environment or {})}
    outcome = run_in_subprocess("modules.training_process", task, environment=cpu_environment(os.environ) | given)
    if outcome.explanation is not None:
        raise _ON_THE_WAY.get(str(outcome.error_type), TrainingTaskError)(outcome.explanation)
    if outcome.status != 0:
        raise TrainingProcessError(
            f"Training on {given['KERAS_BACKEND']} runs in a process of its own, which must end well. "
            f"Received: {outcome.cause}. The log has the rest."
        )
    return Trained(**outcome.result)
