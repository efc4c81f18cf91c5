"""The task of one training, and its result: plain values, so that any process can do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modules.settings.run import RunSettings

# Prompts and responses, or texts: one list each.
RowTexts = tuple[list[str], list[str]]


@dataclass(frozen=True)
class TrainingTask:
    """One training, from rows to a KerasHub preset.

    Attributes:
        settings: of the run.
        rows: of the training split.
        eval_rows: of the evaluation split.
        log_dir: where TensorBoard's files go.
        serving_model_dir: where the SavedModel will be; the preset goes to ``exports/keras`` beside it.
            None leaves nothing behind but figures.
        checkpoints: root folder of all trainings' checkpoints; None for none.
        run_id: of the run; None if it has no name.
        initial_model: folder of the model to start from in place of ``model.preset``; None for that one.
    """

    settings: RunSettings
    rows: RowTexts
    eval_rows: RowTexts
    log_dir: str
    serving_model_dir: str | None
    checkpoints: str | None
    run_id: str | None = None
    initial_model: str | None = None


@dataclass(frozen=True)
class Trained:
    """The result of a training, beside the preset.

    Attributes:
        report: its figures, plain JSON.
        checkpoint_fingerprint: names the folder of its checkpoints, which may go once the model is exported; None if it
            has none.
    """

    report: dict[str, Any]
    checkpoint_fingerprint: str | None
