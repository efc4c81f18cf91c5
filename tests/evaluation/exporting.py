"""Writes a model artifact's folder in this process, as the Trainer and its export process do in two."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from keras_hub.models import GPT2Backbone
from tokenizers import Tokenizer

from modules.exports import FORMS, TrainedModel
from modules.exports.form import ExportForm
from modules.exports.writing import write_forms, write_prompt_spec
from modules.proving.answers import Answers
from modules.proving.requests import Requests
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
    forms: Iterable[ExportForm] = tuple(FORMS.values()),
) -> None:
    """Writes the forms into a model artifact's folder; training.json is left out."""
    model = TrainedModel(backbone, tokenizer, generation)
    write_forms(model, artifact, forms)
    write_prompt_spec(model, artifact)
