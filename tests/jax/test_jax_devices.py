"""Training on four virtual devices of JAX against training on one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.processes import run_in_subprocess
from modules.training.backend import train_in_subprocess
from modules.training.task import Trained, TrainingTask
from tests.jax.tasks import losses, make_task, preset_weights

FOUR_DEVICES = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
# Adam's first step knows only signs, which rounding can turn where a gradient is nearly 0.
TOLERANCE = {"rtol": 0, "atol": 1e-4}


def train(task: TrainingTask) -> Trained:
    return train_in_subprocess(task, environment=FOUR_DEVICES)


@pytest.fixture(scope="module")
def alone(preset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[float], list[np.ndarray]]:
    """The losses after each step, and the last weights, of one device; packed rows, two batches a step."""
    task = make_task(preset, tmp_path_factory.mktemp("alone"), backend="jax", **options())
    return losses(train(task).report), preset_weights(task)


def options() -> dict[str, Any]:
    return {"packing": "best_fit", "accumulation_steps": 2}


@pytest.mark.parametrize("distribution", ["data_parallel", "fully_sharded"])
def test_four_devices_train_as_one_does(
    distribution: str, alone: tuple[list[float], list[np.ndarray]], preset: Path, tmp_path: Path
) -> None:
    task = make_task(preset, tmp_path, backend="jax", distribution=distribution, devices=4, **options())
    shared = train(task).report
    np.testing.assert_allclose(losses(shared), alone[0], **TOLERANCE)
    assert alone[0][-1] < alone[0][0]
    for one, same in zip(alone[1], preset_weights(task), strict=True):
        np.testing.assert_allclose(one, same, **TOLERANCE)


def test_a_device_holds_its_share_of_the_weights_and_of_their_optimizer_state() -> None:
    given = {"KERAS_BACKEND": "jax", **FOUR_DEVICES}
    outcome = run_in_subprocess("tests.jax.sharded_state", {"devices": 4}, environment=given)
    assert outcome.status == 0, outcome.log
    assert outcome.result["data_parallel"]["token_embedding"] == [[300, 16], [300, 16]]
    assert outcome.result["fully_sharded"] == {
        "token_embedding": [[300, 16], [300, 4]],
        "token_embedding_momentum": [[300, 16], [300, 4]],
        "feedforward_output_velocity": [[64, 16], [16, 16]],
        "share": pytest.approx(0.277, abs=0.001),
    }
