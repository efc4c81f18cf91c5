"""The forms in which a trained model leaves the trainer, all written from the same weights, none needing
PyTorch.

Layout under one folder: ``keras/`` (KerasHub preset, from which the others are made), ``transformers/`` (safetensors),
``ctranslate2/`` (int8), ``ctranslate2_float32/``, ``prompt.json``. The SavedModel is made by
:mod:`modules.serving.signatures`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.exports.int8 import quantize_model
from modules.models.families import family_of
from modules.models.gpt2.tokenizer import end_token_id
from modules.prompts import ALPACA, RowKind
from modules.prompts.format import PromptFormat
from modules.settings.generation import GenerationSettings

if TYPE_CHECKING:
    from keras_hub.models import Backbone
    from tokenizers import Tokenizer

# How CTranslate2 stores the weights -> folder.
CTRANSLATE2_FOLDERS = {"int8": "ctranslate2", "float32": "ctranslate2_float32"}


def export_all(
    backbone: Backbone,
    tokenizer: Tokenizer,
    folder: Path,
    *,
    generation: GenerationSettings,
    ctranslate2: Sequence[str] = ("int8",),
    prompt_format: PromptFormat = ALPACA,
    kind: RowKind = "instructions",
) -> None:
    """Writes the preset and every form that is made from it into `folder`, which is made.

    Arguments are those of :func:`export_forms`.
    """
    export_keras(backbone, tokenizer, folder / "keras")
    export_forms(
        backbone,
        tokenizer,
        folder,
        generation=generation,
        ctranslate2=ctranslate2,
        prompt_format=prompt_format,
        kind=kind,
    )


def export_forms(
    backbone: Backbone,
    tokenizer: Tokenizer,
    folder: Path,
    *,
    generation: GenerationSettings,
    ctranslate2: Sequence[str],
    prompt_format: PromptFormat = ALPACA,
    kind: RowKind = "instructions",
    examples: Sequence[str] = (),
    begin: Callable[[str], None] = lambda _: None,
) -> None:
    """Writes every form but the preset and the SavedModel into `folder`, which is made.

    Args:
        backbone: the trained model.
        tokenizer: the tokenizer that it was trained with.
        folder: where to write.
        generation: decoding defaults.
        ctranslate2: how its weights are stored, of CTRANSLATE2_FOLDERS; one folder each.
        prompt_format: how the model's prompts are made.
        kind: of the rows that it learnt from, ``instructions`` or ``text``.
        examples: prompts to show to people who want to ask the model something.
        begin: is told of each form, by the name of its folder, before it is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    begin("transformers")
    export_transformers(backbone, tokenizer, folder / "transformers", generation=generation)
    for precision in ctranslate2:
        quantization = None if precision == "float32" else precision
        begin(CTRANSLATE2_FOLDERS[precision])
        export_ctranslate2(backbone, tokenizer, folder / CTRANSLATE2_FOLDERS[precision], quantization=quantization)
    spec = {
        **prompt_format.spec(kind=kind),
        "end_token_id": end_token_id(tokenizer),
        "context_length": backbone.max_sequence_length,
        "generation": generation.model_dump(mode="json"),
        "examples": [
            {"instruction": row[0], "input": row[1]} for prompt in examples if (row := prompt_format.parse(prompt))
        ],
    }
    _write_json(folder / "prompt.json", spec)


def form_sizes(serving_model_dir: Path) -> dict[str, int]:
    """Bytes on disk of each exported form; the SavedModel lies in `serving_model_dir`, the others in ``exports/``."""
    forms = {"saved_model": serving_model_dir}
    forms |= {path.name: path for path in sorted((serving_model_dir.parent / "exports").iterdir()) if path.is_dir()}
    return {
        name: sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) for name, folder in forms.items()
    }


def export_keras(backbone: Backbone, tokenizer: Tokenizer, folder: Path) -> None:
    """A KerasHub preset; ``keras_hub.models.GPT2CausalLM.from_preset(folder)`` loads it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    family_of(backbone).save_preset(backbone, tokenizer, folder)


def export_transformers(
    backbone: Backbone, tokenizer: Tokenizer, folder: Path, *, generation: GenerationSettings
) -> None:
    """A Transformers checkpoint; ``AutoModelForCausalLM.from_pretrained(folder)`` loads it."""
    family_of(backbone).save_transformers(backbone, tokenizer, folder)
    end_id = end_token_id(tokenizer)
    special = {"bos_token_id": end_id, "eos_token_id": end_id}
    sampled = generation.temperature > 0
    sampling = generation.model_dump(mode="json", include={"temperature", "top_k", "top_p"}) if sampled else {}
    _write_json(
        folder / "generation_config.json",
        special
        | {"pad_token_id": end_id, "max_new_tokens": generation.max_new_tokens, "do_sample": sampled}
        | sampling,
    )


def export_ctranslate2(
    backbone: Backbone, tokenizer: Tokenizer, folder: Path, *, quantization: str | None = "int8"
) -> None:
    """A CTranslate2 generator; ``ctranslate2.Generator(folder)`` loads it.

    Args:
        backbone: the trained model.
        tokenizer: gives the vocabulary, in the order of ids.
        folder: where to write.
        quantization: how weights are stored: ``int8`` as :mod:`modules.exports.int8` says, another of CTranslate2's
            names (``int8_float32``) as that library does by itself; None keeps float32.
    """
    spec = family_of(backbone).ctranslate2_spec(backbone, tokenizer)
    if quantization == "int8":
        quantize_model(spec)
    else:
        spec.optimize(quantization=quantization)
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
