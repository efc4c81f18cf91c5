"""Writes a GPT-2 with random weights as a revision publishes it, in seconds and without TensorFlow, for measurements of
serving: the 8-bit CTranslate2 form and the Transformers form, of the same weights.

    python -m benchmarks.random_revision FOLDER --tokenizer FOLDER_OF_GPT2S_TOKENIZER
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modules.exports.int8 import quantize_model
from modules.models.gpt2.tokenizer import end_token_id, load_tokenizer
from modules.prompts import ALPACA
from modules.prompts.format import END_TOKEN, NEUTRAL_END_TOKEN

Weights = dict[str, np.ndarray]  # by the names of Transformers' modeling_gpt2.py, float32
SCALE = 0.02  # standard deviation of the weights, GPT-2's own at its start


def write_revision(folder: Path, tokenizer_folder: Path, *, layers: int, width: int, context: int, seed: int) -> None:
    """Writes prompt.json, tokenizer files, ctranslate2/ and the Transformers checkpoint at the root."""
    tokenizer = load_tokenizer(tokenizer_folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(tokenizer_folder / name, folder)
    end = end_token_id(tokenizer)
    weights = _weights(layers, width, tokenizer.get_vocab_size(), context, seed)
    generation = {"max_new_tokens": 64, "temperature": 0.0, "top_k": 0, "top_p": 1.0}
    prompt = {**ALPACA.spec(kind="instructions"), "end_token_id": end, "context_length": context}
    _write_json(folder / "prompt.json", {**prompt, "generation": generation, "examples": []})
    _write_ctranslate2(folder / "ctranslate2", weights, layers=layers, width=width, tokenizer=tokenizer)
    _write_transformers(folder, weights, layers=layers, width=width, context=context, end=end)


def _weights(layers: int, width: int, vocabulary: int, context: int, seed: int) -> Weights:
    random = np.random.default_rng(seed)

    def matrix(*shape: int) -> np.ndarray:
        return SCALE * random.standard_normal(shape, dtype=np.float32)

    weights: Weights = {"wte.weight": matrix(vocabulary, width), "wpe.weight": matrix(context, width)}
    norms = ["ln_f"]
    for number in range(layers):
        norms += [f"h.{number}.ln_1", f"h.{number}.ln_2"]
        for name, shape in (
            ("attn.c_attn", (width, 3 * width)),
            ("attn.c_proj", (width, width)),
            ("mlp.c_fc", (width, 4 * width)),
            ("mlp.c_proj", (4 * width, width)),
        ):
            weights[f"h.{number}.{name}.weight"] = matrix(*shape)
            weights[f"h.{number}.{name}.bias"] = np.zeros(shape[1], np.float32)
    for name in norms:
        weights |= {f"{name}.weight": np.ones(width, np.float32), f"{name}.bias": np.zeros(width, np.float32)}
    return weights


def _write_ctranslate2(folder: Path, weights: Weights, *, layers: int, width: int, tokenizer: Any) -> None:
    import ctranslate2

    specs = ctranslate2.specs
    spec = specs.TransformerDecoderModelSpec.from_config(
        layers, width // 64, pre_norm=True, activation=specs.Activation.GELUTanh
    )
    decoder = spec.decoder
    decoder.scale_embeddings = False
    decoder.embeddings.weight = decoder.projection.weight = weights["wte.weight"]
    decoder.position_encodings.encodings = weights["wpe.weight"]
    places = [("ln_f", decoder.layer_norm)]
    for number, layer in enumerate(decoder.layer):
        attention, feedforward = layer.self_attention, layer.ffn
        places += [(f"h.{number}.ln_1", attention.layer_norm), (f"h.{number}.ln_2", feedforward.layer_norm)]
        for name, linear in (
            ("attn.c_attn", attention.linear[0]),
            ("attn.c_proj", attention.linear[1]),
            ("mlp.c_fc", feedforward.linear_0),
            ("mlp.c_proj", feedforward.linear_1),
        ):
            linear.weight = np.ascontiguousarray(weights[f"h.{number}.{name}.weight"].T)
            linear.bias = weights[f"h.{number}.{name}.bias"]
    for name, norm in places:
        norm.gamma, norm.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]
    spec.register_vocabulary(sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__))
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = END_TOKEN
    spec.validate()
    quantize_model(spec)
    folder.mkdir(exist_ok=True)
    spec.save(str(folder))


def _write_transformers(folder: Path, weights: Weights, *, layers: int, width: int, context: int, end: int) -> None:
    from safetensors.numpy import save_file

    save_file({f"transformer.{name}": weight for name, weight in weights.items()}, folder / "model.safetensors",
              metadata={"format": "pt"})  # fmt: skip
    sizes = {"n_layer": layers, "n_head": width // 64, "n_embd": width, "n_positions": context}
    names = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": len(weights["wte.weight"])}
    ends = {"bos_token_id": end, "eos_token_id": end}
    _write_json(folder / "config.json", {**names, **sizes, **ends})
    _write_json(folder / "generation_config.json", {**ends, "pad_token_id": end})
    tokens = {"eos_token": END_TOKEN, "bos_token": END_TOKEN, "unk_token": END_TOKEN, "pad_token": END_TOKEN}
    template = ALPACA.chat_template.replace("end_token, neutral_end_token", f"'{END_TOKEN}', '{NEUTRAL_END_TOKEN}'")
    template = template.replace("content + end_token", f"content + '{END_TOKEN}'")
    _write_json(folder / "tokenizer_config.json", {**tokens, "tokenizer_class": "GPT2Tokenizer",
                "model_max_length": context, "chat_template": template})  # fmt: skip


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Writes the revision."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.random_revision", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write; made")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with vocab.json and merges.txt")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--width", type=int, default=768, help="64 for each attention head")
    parser.add_argument("--context", type=int, default=1024, help="tokens")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    write_revision(
        options.folder,
        options.tokenizer,
        layers=options.layers,
        width=options.width,
        context=options.context,
        seed=options.seed,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
