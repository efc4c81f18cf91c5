"""Adapters alone, over the model that they were trained on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from modules.models.families import family_of
from modules.models.family import ModelFamily

if TYPE_CHECKING:
    from keras_hub.models import Backbone

logger = logging.getLogger(__name__)

ADAPTER = "adapter"


def base_name(family: ModelFamily, preset: str) -> str:
    """Returns what the adapters belong to: a repository's id if there is one, or the last part of a folder's path."""
    if preset.startswith("hub:"):
        return preset.removeprefix("hub:").partition("@")[0]
    known = family.presets.get(preset)
    if known is not None and known.repo_id is not None:
        return known.repo_id
    return Path(preset).name if Path(preset).is_dir() else preset


def save_adapter(backbone: Backbone, folder: Path, *, base: str) -> bool:
    """Writes the adapters of a trained backbone into `folder`, which is made.

    Args:
        backbone: with adapters.
        folder: where to write.
        base: repository or folder of the model that they belong to.

    Returns:
        False where embeddings were trained too: then adapters alone would not be the model, and none are written.
    """
    family = family_of(backbone)
    if any(variable.trainable for variable in family.embeddings(backbone)):
        logger.info("No adapter is written: the embeddings were trained too, only the merged model is whole.")
        return False
    family.save_adapter(backbone, folder, base=base)
    return True
