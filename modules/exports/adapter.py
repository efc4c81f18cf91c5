"""Adapters alone, over the model that they were trained on, as PEFT reads them.

There is none where embeddings were trained too: then adapters alone would not be the model.
"""

from __future__ import annotations

import logging
from pathlib import Path

from modules.exports.form import ExportForm, TrainedModel
from modules.models.families import family_of
from modules.models.family import ModelFamily
from publishing.exports import EXPORTS

logger = logging.getLogger(__name__)


def base_name(family: ModelFamily, preset: str) -> str:
    """Returns what the adapters belong to: a repository's id if there is one, or the last part of a folder's path."""
    if preset.startswith("hub:"):
        return preset.removeprefix("hub:").partition("@")[0]
    if preset in family.published.base_models:
        return family.published.base_models[preset]
    return Path(preset).name if Path(preset).is_dir() else preset


def write(model: TrainedModel, folder: Path) -> None:
    """Writes the adapters; the folder is made."""
    family = family_of(model.backbone)
    family.save_adapter(model.backbone, folder, base=base_name(family, str(model.preset)))


def applies(model: TrainedModel) -> bool:
    """Returns whether the model is what its adapters make of the initial one."""
    from modules.models.lora import has_adapters

    if not has_adapters(model.backbone):
        return False
    if any(variable.trainable for variable in family_of(model.backbone).embeddings(model.backbone)):
        logger.info("No adapter is written: the embeddings were trained too, only the merged model is whole.")
        return False
    return True


ADAPTER = ExportForm(
    published=EXPORTS["adapter"],
    label="LoRA adapter",
    bytes_per_parameter=0,  # too few to count
    write=write,
    written_by="trainer",
    applies=applies,
)
