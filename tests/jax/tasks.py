"""A training task small enough for any backend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from modules.settings.export import ExportSettings
from modules.settings.generation import GenerationSettings
from modules.settings.model import ModelSettings
from modules.settings.rows import RowSettings
from modules.settings.run import RunSettings
from modules.settings.training import TrainingSettings
from modules.training.task import TrainingTask

WORDS = ("pear", "apple", "plum", "fig", "kiwi", "lime", "date", "quince", "a longer fruit", "nut", "bean", "rye")
ROWS = ([f"say {word}\n" for word in WORDS], [f"{word} {word}" for word in WORDS])
TEXTS = [*ROWS[0], *ROWS[1]]
STEPS = 5


def make_task(preset: Path, folder: Path, **training: Any) -> TrainingTask:
    """Five steps from `preset`, dropout off; `training` are further settings."""
    options = {
        "sequence_length": 32,
        "batch_size": 4,
        "epochs": 5,
        "max_steps": STEPS,
        "learning_rate": 1e-3,
        "weight_decay": 0.01,
        "log_every_steps": 1,
        "evaluate_every_steps": 1,
        "packing": "none",
        "seed": 3,
    }
    settings = RunSettings(
        data=RowSettings(),
        model=ModelSettings(preset=str(preset), dropout=0.0),
        training=TrainingSettings.model_validate(options | training),
        generation=GenerationSettings(),
        export=ExportSettings(),
        fingerprint="code",
    )
    return TrainingTask(
        settings,
        ROWS,
        ROWS,
        log_dir=str(folder / "logs"),
        serving_model_dir=str(folder / "model" / "Format-Serving"),
        checkpoints=None,
    )


def losses(report: dict[str, Any]) -> list[float]:
    """The evaluation loss after each step: it tells the weights apart."""
    return [loss for _, loss, _ in report["evaluations"]]


def preset_weights(task: TrainingTask) -> list[np.ndarray]:
    """The weights of the preset that a task left."""
    from modules.network.starting_point import load_preset

    folder = Path(task.serving_model_dir).parent / "exports" / "keras"
    backbone, _ = load_preset(str(folder), dropout=0.0, dtype="float32")
    return [np.asarray(weight) for weight in backbone.get_weights()]


def describe(report: dict[str, Any]) -> str:
    """For a failing test's message."""
    return json.dumps(report, indent=1)
