"""A training in a process of its own, on the backend that its environment names.

python -m modules.training_process TASK_FILE RESULT_FILE LOG_FILE
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from typing import Any

from modules.processes import serve
from modules.training.task import TrainingTask

# Never imported beside JAX: it would take seconds, and could take the accelerator's memory.
ABSENT_ON_JAX = ("tensorflow", "tensorflow_text")


def leave_out_tensorflow(modules: dict[str, Any]) -> None:
    """Makes any import of TensorFlow fail as if it were not installed; `modules` is ``sys.modules``."""
    for name in ABSENT_ON_JAX:
        modules[name] = None


def run_training(task: TrainingTask) -> dict[str, Any]:
    """Trains, and returns what is left of it, as plain JSON."""
    if os.environ["KERAS_BACKEND"] == "jax":
        leave_out_tensorflow(sys.modules)
    from modules.trainer import train

    return asdict(train(task))


if __name__ == "__main__":
    serve(sys.argv[1:], run_training, task_type=TrainingTask)
