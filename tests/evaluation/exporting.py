"""Writes a model artifact's folder in this process, as the Trainer and its export process do in two."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from keras_hub.models import GPT2Backbone
from tokenizers import Tokenizer

from modules.exports import TrainedModel, forms_to_write
from modules.exports.form import ExportForm
from modules.exports.saved_model import SAVED_MODEL
from modules.exports.writing import write_forms, write_prompt_spec
from modules.proving.answers import Answers
from modules.proving.requests import Requests
from modules.settings.export import ExportSettings
from modules.settings.generation import GenerationSettings


def asked(form: ExportForm, artifact: Path, requests: Requests) -> Answers:
    """Returns what a form answers in this process."""
    assert form.ask is not None
    return form.ask(artifact, requests)


def export_model(
    backbone: GPT2Backbone,
    tokenizer: Tokenizer,
    artifact: Path,
    generation: GenerationSettings,
    forms: Iterable[ExportForm] = forms_to_write(ExportSettings()),
) -> None:
    """Writes the forms into a model artifact's folder; training.json is left out."""
    model = TrainedModel(backbone, tokenizer, generation)
    write_forms(model, artifact, forms)
    write_prompt_spec(model, artifact)


def copy_with_weights(artifact: Path, folder: Path, *, factor: float) -> Path:
    """Copies a model artifact's folder with its SavedModel's weights times `factor`; saving it anew takes seconds."""
    import tensorflow as tf

    shutil.copytree(artifact, folder)
    prefix = str(folder / SAVED_MODEL.artifact_folder / "variables" / "variables")
    reader = tf.train.load_checkpoint(prefix)
    tensors = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    scaled = [value * factor if getattr(value, "dtype", None) == np.float32 else value for value in tensors.values()]
    names = list(tensors)
    tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=scaled)
    return folder
