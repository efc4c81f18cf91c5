"""Writes a model artifact's folder in this process, as the Trainer and its export process do in two."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from keras_hub.models import GPT2Backbone
from tokenizers import Tokenizer

from modules.exports.process import ExportTask, Questions, export_others, export_preset
from modules.settings.generation import GenerationSettings


def export_model(
    backbone: GPT2Backbone,
    tokenizer: Tokenizer,
    serving_model_dir: Path,
    generation: GenerationSettings,
    ctranslate2: Sequence[str] = ("int8", "float32"),
) -> None:
    """Writes every form beside `serving_model_dir`; training.json is left out."""
    nothing = Questions([], [])
    export_preset(backbone, tokenizer, serving_model_dir)
    task = ExportTask(str(serving_model_dir), generation, ctranslate2, samples=nothing, exact=nothing)
    export_others(backbone, tokenizer, task)
