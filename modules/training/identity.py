"""The identity of a training, by which a checkpoint belongs to it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from modules.training.checkpoints import CheckpointFolder
from modules.training.dataset import PackedBatches

if TYPE_CHECKING:
    from modules.settings.training import TrainingSettings

logger = logging.getLogger(__name__)

# Settings that change what is written about a training, but not the training itself.
WITHOUT_EFFECT = {"log_every_steps", "checkpoint_every_steps", "checkpoint_dir", "keep_checkpoints",
                  "sample_every_steps", "sample_rows", "exact_answer_rows"}  # fmt: skip


def checkpoint_folder(
    root: str | None,
    training: TrainingSettings,
    *,
    batches: PackedBatches,
    facts: Mapping[str, Any],
    run_id: str | None = None,
) -> CheckpointFolder | None:
    """Returns the folder of this training's checkpoints; None if it has none.

    Args:
        root: folder of all trainings' checkpoints; None for none.
        training: how to train.
        batches: of the training split.
        facts: plain JSON; whatever else the weights depend on, such as the model's sizes and the code.
        run_id: of the run that trains.
    """
    if root is None or not training.checkpoint_every_steps:
        return None
    effective = training.model_dump(mode="json", exclude=WITHOUT_EFFECT)
    identity = [effective, facts, batches.fingerprint(), keras.backend.backend(), keras.__version__]
    fingerprint = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    folder = CheckpointFolder(Path(root), fingerprint=fingerprint, keep=training.keep_checkpoints, run_id=run_id)
    others = folder.others()
    if others:
        logger.warning(
            "%s holds checkpoints of %d other trainings, which take %s MB. "
            "Delete those that will not be resumed with their settings: %s",
            root, len(others), f"{sum(others.values()) / 1e6:,.1f}", ", ".join(path.name for path in others),
        )  # fmt: skip
    return folder
