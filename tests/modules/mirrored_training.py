"""A training on four virtual devices of TensorFlow; a process of its own, run by a test."""

from __future__ import annotations

import sys
from typing import Any

import tensorflow as tf

from modules.processes import serve
from modules.training.task import TrainingTask
from modules.training_process import run_training

DEVICES = 4


def run_training_on_four(task: TrainingTask) -> dict[str, Any]:
    (processor,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * DEVICES)
    return run_training(task)


if __name__ == "__main__":
    serve(sys.argv[1:], run_training_on_four, task_type=TrainingTask)
