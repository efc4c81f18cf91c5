"""A KerasHub preset, which the trainer writes and all other forms but adapters are made from."""

from __future__ import annotations

from pathlib import Path

from modules.exports.form import ExportForm, TrainedModel
from modules.models.families import family_of, find_family
from modules.proving.agreement import judge_choices
from modules.proving.answers import Answers, decode_greedily, padded
from modules.proving.requests import Requests
from publishing.exports import EXPORTS


def write(model: TrainedModel, folder: Path) -> None:
    """Writes the preset in float32, with adapters merged."""
    from modules.models.float32 import as_float32

    folder.parent.mkdir(parents=True, exist_ok=True)
    backbone = as_float32(model.backbone)
    family_of(backbone).save_preset(backbone, model.tokenizer, folder)


def ask(model_folder: Path, requests: Requests) -> Answers:
    """Answers from the preset's backbone, by KerasHub."""
    logits = find_family(requests.family).preset_logits(model_folder / KERAS.artifact_folder)
    return decode_greedily(padded(logits), requests)


KERAS = ExportForm(
    published=EXPORTS["keras"],
    label="KerasHub preset",
    bytes_per_parameter=4,
    write=write,
    ask=ask,
    judge=judge_choices,
    written_by="trainer",
    proof_order=1,
)
