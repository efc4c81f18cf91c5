"""What one training is asked to do, and what it gives back: plain values, so that any process can do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modules.settings import Settings

# Prompts and responses, or texts: one list each.
RowTexts = tuple[list[str], list[str]]


@dataclass(frozen=True)
class TrainingTask:
    """One training, from rows to a KerasHub preset.

    Attributes:
        settings: the configuration's groups.
        rows: of the training split.
        eval_rows: of the evaluation split.
        log_dir: where TensorBoard's files go.
        serving_model_dir: where the SavedModel will be; the preset goes to ``exports/keras`` beside it.
            None leaves nothing behind but figures.
        checkpoints: root folder of all trainings' checkpoints; None for none.
        code: fingerprint of the code that trains.
        run_id: of the run; None if it has no name.
    """

    settings: Settings
    rows: RowTexts
    eval_rows: RowTexts
    log_dir: str
    serving_model_dir: str | None
    checkpoints: str | None
    code: str
    run_id: str | None = None


@dataclass(frozen=True)
class Trained:
    """What is left of a training, beside the preset.

    Attributes:
        report: its figures, plain JSON.
        checkpoint_fingerprint: names the folder of its checkpoints, which may go once the model is exported; None if it
            has none.
    """

    report: dict[str, Any]
    checkpoint_fingerprint: str | None
