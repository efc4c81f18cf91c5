"""An ONNX file, for onnxruntime and whatever else reads ONNX: from token ids to logits, without a cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from modules.exports.form import ExportForm, TrainedModel
from modules.models.families import family_of
from modules.proving.agreement import judge_choices
from modules.proving.answers import Answers, decode_greedily, padded
from modules.proving.requests import Requests
from publishing.exports import EXPORTS

FILE = "model.onnx"


def write(model: TrainedModel, folder: Path) -> None:
    """Writes the file."""
    folder.mkdir(parents=True, exist_ok=True)
    family_of(model.backbone).save_onnx(model.backbone, folder / FILE)


def ask(model_folder: Path, requests: Requests) -> Answers:
    """Answers greedily by onnxruntime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model_folder / ONNX.artifact_folder / FILE)

    def logits(token_ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        mask = (np.arange(token_ids.shape[1]) < lengths[:, None]).astype(np.int32)
        (found,) = session.run(["logits"], {"token_ids": token_ids, "padding_mask": mask})  # [B, T, V]
        last: np.ndarray = found[np.arange(len(lengths)), lengths - 1]
        return last

    return decode_greedily(padded(logits), requests)


ONNX = ExportForm(
    published=EXPORTS["onnx"],
    label="ONNX",
    bytes_per_parameter=5,
    write=write,
    ask=ask,
    judge=judge_choices,
    export_setting=("onnx", "f32"),
    proof_order=8,
)
