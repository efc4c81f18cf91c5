"""Training on JAX, in a process without TensorFlow, against training on TensorFlow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modules.training.backend import TrainingTaskError, train_in_subprocess
from modules.training.task import TrainingTask
from tests.jax.tasks import STEPS, losses, make_task, preset_weights


def test_jax_trains_as_tensorflow_does(task: TrainingTask, preset: Path, tmp_path: Path) -> None:
    on_tensorflow = train_in_subprocess(task)
    other = make_task(preset, tmp_path / "jax", backend="jax")
    on_jax = train_in_subprocess(other)
    assert len(losses(on_jax.report)) == STEPS
    np.testing.assert_allclose(losses(on_jax.report), losses(on_tensorflow.report), rtol=0, atol=1e-4)
    assert on_jax.report["eval_loss"] < losses(on_jax.report)[0]
    for one, same in zip(preset_weights(task), preset_weights(other), strict=True):
        np.testing.assert_allclose(one, same, rtol=0, atol=1e-4)


def test_a_training_on_jax_ends_early_and_stays_ended(preset: Path, tmp_path: Path) -> None:
    stopping = {"early_stopping_patience": 2, "early_stopping_min_delta": 100.0, "keep_weights": "best"}
    task = make_task(preset, tmp_path, backend="jax", checkpoint_every_steps=2, **stopping)

    report = train_in_subprocess(replace(task, checkpoints=str(tmp_path / "checkpoints"))).report
    again = train_in_subprocess(replace(task, checkpoints=str(tmp_path / "checkpoints"))).report

    assert (report["steps"], report["planned_steps"], report["kept_step"]) == (3, STEPS, 3)
    assert "has not fallen by more than 100 below" in report["stop_reason"]
    assert (again["resumed_from"], again["steps"], again["stop_reason"]) == (3, 3, report["stop_reason"])
    np.testing.assert_allclose(losses(again), losses(report), rtol=1e-6)


def test_an_error_on_jax_arrives_in_its_own_words(preset: Path, tmp_path: Path) -> None:
    task = make_task(preset, tmp_path, backend="jax", sequence_length=65)
    with pytest.raises(TrainingTaskError, match=r"^A training sequence .*sequence_length=65, context 64\."):
        train_in_subprocess(task)
