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

import numpy as np

from modules.serving.int8 import quantize_model
from modules.settings.generation import GenerationSettings
from modules.text.prompts import END_TOKEN, INSTRUCTIONS, PromptFormat, parse_prompt, prompt_spec
from modules.text.tokenizer import end_token_id, save_tokenizer, to_keras, vocabulary_and_merges

if TYPE_CHECKING:
    from keras_hub.models import GPT2Backbone
    from tokenizers import Tokenizer

# How CTranslate2 stores the weights -> folder.
CTRANSLATE2_FOLDERS = {"int8": "ctranslate2", "float32": "ctranslate2_float32"}


def export_all(
    backbone: GPT2Backbone,
    tokenizer: Tokenizer,
    folder: Path,
    *,
    generation: GenerationSettings,
    ctranslate2: Sequence[str] = ("int8",),
    form: PromptFormat = INSTRUCTIONS,
) -> None:
    """Writes the preset and every form that is made from it into `folder`, which is made.

    Arguments are those of :func:`export_forms`.
    """
    export_keras(backbone, tokenizer, folder / "keras")
    export_forms(backbone, tokenizer, folder, generation=generation, ctranslate2=ctranslate2, form=form)


def export_forms(
    backbone: GPT2Backbone,
    tokenizer: Tokenizer,
    folder: Path,
    *,
    generation: GenerationSettings,
    ctranslate2: Sequence[str],
    form: PromptFormat = INSTRUCTIONS,
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
        form: how the model's prompts are made.
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
        **prompt_spec(form),
        "end_token_id": end_token_id(tokenizer),
        "context_length": backbone.max_sequence_length,
        "generation": generation.model_dump(mode="json"),
        "examples": [
            {"instruction": row[0], "input": row[1]} for prompt in examples if (row := parse_prompt(prompt, form))
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


def export_keras(backbone: GPT2Backbone, tokenizer: Tokenizer, folder: Path) -> None:
    """A KerasHub preset; ``keras_hub.models.GPT2CausalLM.from_preset(folder)`` loads it."""
    import keras_hub

    folder.parent.mkdir(parents=True, exist_ok=True)
    preprocessor = keras_hub.models.GPT2CausalLMPreprocessor(
        to_keras(tokenizer), sequence_length=backbone.max_sequence_length, add_start_token=False
    )
    keras_hub.models.GPT2CausalLM(backbone, preprocessor=preprocessor).save_to_preset(str(folder))


def export_transformers(
    backbone: GPT2Backbone, tokenizer: Tokenizer, folder: Path, *, generation: GenerationSettings
) -> None:
    """A Transformers checkpoint; ``AutoModelForCausalLM.from_pretrained(folder)`` loads it."""
    backbone.export_to_transformers(str(folder))
    end_id = end_token_id(tokenizer)
    special = {"bos_token_id": end_id, "eos_token_id": end_id}
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    # KerasHub writes GPT-2's own end token id, whatever the vocabulary.
    config |= special | {
        "architectures": ["GPT2LMHeadModel"],
        "tie_word_embeddings": True,
        "dtype": "float32",
    }
    _write_json(folder / "config.json", config)
    sampled = generation.temperature > 0
    sampling = generation.model_dump(mode="json", include={"temperature", "top_k", "top_p"}) if sampled else {}
    _write_json(
        folder / "generation_config.json",
        special
        | {"pad_token_id": end_id, "max_new_tokens": generation.max_new_tokens, "do_sample": sampled}
        | sampling,
    )
    save_tokenizer(tokenizer, folder)
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "GPT2Tokenizer",
            "bos_token": END_TOKEN,
            "eos_token": END_TOKEN,
            "unk_token": END_TOKEN,
            "pad_token": END_TOKEN,
            "add_prefix_space": False,
            "model_max_length": backbone.max_sequence_length,
            "clean_up_tokenization_spaces": False,
            # As all forms do: of a prompt that is too long, the end counts; a batch is padded before its prompts.
            "truncation_side": "left",
            "padding_side": "left",
        },
    )
    _write_json(
        folder / "special_tokens_map.json",
        {"bos_token": END_TOKEN, "eos_token": END_TOKEN, "unk_token": END_TOKEN, "pad_token": END_TOKEN},
    )


def export_ctranslate2(
    backbone: GPT2Backbone, tokenizer: Tokenizer, folder: Path, *, quantization: str | None = "int8"
) -> None:
    """A CTranslate2 generator; ``ctranslate2.Generator(folder)`` loads it.

    Args:
        backbone: the trained model.
        tokenizer: gives the vocabulary, in the order of ids.
        folder: where to write.
        quantization: how weights are stored: ``int8`` as :mod:`modules.serving.int8` says, another of CTranslate2's
            names (``int8_float32``) as that library does by itself; None keeps float32.
    """
    import ctranslate2

    spec = ctranslate2.specs.TransformerDecoderModelSpec.from_config(
        backbone.num_layers,
        backbone.num_heads,
        pre_norm=True,
        activation=ctranslate2.specs.Activation.GELUTanh,
    )
    _fill_decoder(spec.decoder, backbone)
    vocabulary, _ = vocabulary_and_merges(tokenizer)
    if len(vocabulary) != backbone.vocabulary_size:
        raise ValueError(
            "The vocabulary and the model's embedding must have one size. "
            f"Received: {len(vocabulary)} tokens, embedding of {backbone.vocabulary_size}"
        )
    spec.register_vocabulary(list(vocabulary))
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = END_TOKEN
    spec.validate()
    if quantization == "int8":
        quantize_model(spec)
    else:
        spec.optimize(quantization=quantization)
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))


def _fill_decoder(decoder: Any, backbone: GPT2Backbone) -> None:
    decoder.scale_embeddings = False
    decoder.embeddings.weight = _array(backbone.token_embedding.embeddings)
    decoder.position_encodings.encodings = _array(backbone.position_embedding.position_embeddings)
    decoder.projection.weight = decoder.embeddings.weight
    _fill_norm(decoder.layer_norm, backbone.layer_norm)
    for spec, layer in zip(decoder.layer, backbone.transformer_layers, strict=True):
        attention = layer._self_attention_layer
        _fill_norm(spec.self_attention.layer_norm, layer._self_attention_layer_norm)
        parts = [attention._query_dense, attention._key_dense, attention._value_dense]
        size = backbone.hidden_dim
        # Keras: [D, heads, head_dim]; CTranslate2: [out, in], query, key and value as one.
        spec.self_attention.linear[0].weight = np.concatenate([_array(p.kernel).reshape(size, size).T for p in parts])
        spec.self_attention.linear[0].bias = np.concatenate([_array(p.bias).reshape(size) for p in parts])
        spec.self_attention.linear[1].weight = _array(attention._output_dense.kernel).reshape(size, size).T
        spec.self_attention.linear[1].bias = _array(attention._output_dense.bias)
        _fill_norm(spec.ffn.layer_norm, layer._feedforward_layer_norm)
        _fill_dense(spec.ffn.linear_0, layer._feedforward_intermediate_dense)
        _fill_dense(spec.ffn.linear_1, layer._feedforward_output_dense)


def _fill_norm(spec: Any, layer: Any) -> None:
    spec.gamma, spec.beta = _array(layer.gamma), _array(layer.beta)


def _fill_dense(spec: Any, layer: Any) -> None:
    spec.weight, spec.bias = _array(layer.kernel).T, _array(layer.bias)


def _array(variable: Any) -> np.ndarray:
    return np.asarray(variable.numpy(), dtype=np.float32)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
