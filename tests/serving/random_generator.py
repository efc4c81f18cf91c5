"""A GPT-2 of random weights as a revision publishes it, made without TensorFlow: as large and slow as wanted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from ctranslate2.specs import common_spec
from ctranslate2.specs.transformer_spec import TransformerDecoderModelSpec
from tokenizers import Tokenizer

from tests.publishing.tiny_model import END_TOKEN, byte_level_tokenizer, prompt_json, write_model


def write_random_revision(
    folder: Path, *, layers: int = 4, width: int = 256, context_length: int = 1024, seed: int = 0
) -> Path:
    """Writes prompt.json, tokenizer.json and ctranslate2/; its answers never end by themselves."""
    tokenizer = byte_level_tokenizer()
    folder.mkdir(parents=True, exist_ok=True)
    prompt = prompt_json(tokenizer) | {"context_length": context_length}
    (folder / "prompt.json").write_text(json.dumps(prompt))
    tokenizer.save(str(folder / "tokenizer.json"))
    spec = _spec(tokenizer, layers=layers, width=width, context_length=context_length, seed=seed)
    (folder / "ctranslate2").mkdir()
    spec.save(str(folder / "ctranslate2"))
    return folder


def write_tiny_revision(folder: Path, *, chained: bool = True) -> Path:
    """Writes the model of known answers as a revision has it."""
    exports = write_model(folder.with_name(f"{folder.name}-artifact"), chained=chained) / "exports"
    shutil.copytree(exports / "ctranslate2", folder / "ctranslate2")
    shutil.copy(exports / "transformers" / "tokenizer.json", folder)
    shutil.copy(exports / "prompt.json", folder)
    return folder


def _spec(
    tokenizer: Tokenizer, *, layers: int, width: int, context_length: int, seed: int
) -> TransformerDecoderModelSpec:
    random = np.random.default_rng(seed)

    def weights(*shape: int) -> np.ndarray:
        return 0.1 * random.standard_normal(shape, dtype=np.float32)

    spec = TransformerDecoderModelSpec.from_config(
        layers, width // 64, pre_norm=True, activation=common_spec.Activation.GELUTanh
    )
    decoder = spec.decoder
    decoder.scale_embeddings = False
    vocabulary = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__)
    decoder.embeddings.weight = weights(len(vocabulary), width)
    decoder.position_encodings.encodings = weights(context_length, width)
    decoder.projection.weight = weights(len(vocabulary), width)
    decoder.projection.weight[tokenizer.token_to_id(END_TOKEN)] = 0  # its logit is in the middle: never the highest
    parts = [part for layer in decoder.layer for part in (layer.self_attention, layer.ffn)]
    norms = [decoder.layer_norm, *(part.layer_norm for part in parts)]
    for norm in norms:
        norm.gamma, norm.beta = np.ones(width, np.float32), np.zeros(width, np.float32)
    for layer in decoder.layer:
        for linear, shape in (
            (layer.self_attention.linear[0], (3 * width, width)),
            (layer.self_attention.linear[1], (width, width)),
            (layer.ffn.linear_0, (4 * width, width)),
            (layer.ffn.linear_1, (width, 4 * width)),
        ):
            linear.weight, linear.bias = weights(*shape), np.zeros(shape[0], np.float32)
    spec.register_vocabulary(vocabulary)
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = END_TOKEN
    spec.validate()
    return spec
