"""A Trainer's model artifact whose answers are known: it follows a chain of tokens, whatever came before.

The network is a real GPT-2 with one layer whose attention and feed-forward weights are zero, so that the next
token depends on the last one alone: each token's embedding is a random direction, and the output layer sends
that direction to the token's successor. With `chained=False` the output layer is random and faint, so that
sampling meets a nearly even choice.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from ctranslate2.specs import common_spec
from ctranslate2.specs.transformer_spec import TransformerDecoderModelSpec
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END_TOKEN = "<|endoftext|>"
WITH_INPUT = "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n"
WITHOUT_INPUT = "### Instruction:\n{instruction}\n\n### Response:\n"
ANSWER = "Paris, naïvely."
CONTEXT_LENGTH = 64
HIDDEN_DIM = 256

_TEXTS = [WITH_INPUT, WITHOUT_INPUT, "What is the capital of France?", ANSWER]


def write_model(folder: Path, *, chained: bool = True, **training: Any) -> Path:
    """Writes the artifact in the Trainer's layout; `training` overrides what training.json says."""
    tokenizer = byte_level_tokenizer()
    exports = folder / "exports"
    _write(exports / "prompt.json", prompt_json(tokenizer))
    _write(exports / "training.json", training_json() | training)
    transformers = exports / "transformers"
    _write(transformers / "config.json", {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]})
    _write(transformers / "generation_config.json", {"eos_token_id": tokenizer.token_to_id(END_TOKEN)})
    tokenizer.save(str(transformers / "tokenizer.json"))
    (transformers / "model.safetensors").write_bytes(bytes(range(256)) * 512)
    _write(exports / "keras" / "config.json", {"class_name": "GPT2Backbone"})
    (exports / "keras" / "model.weights.h5").write_bytes(b"\x89HDF" + bytes(4096))
    _write_ctranslate2(exports / "ctranslate2", tokenizer, chained=chained)
    serving = folder / "Format-Serving"
    (serving / "variables").mkdir(parents=True)
    (serving / "saved_model.pb").write_bytes(b"\x08\x01graph")
    (serving / "variables" / "variables.index").write_bytes(b"index")
    (serving / "variables" / "variables.data-00000-of-00001").write_bytes(bytes(2048))
    return folder


def byte_level_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=[END_TOKEN],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TEXTS, trainer)
    return tokenizer


def prompt_json(tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "with_input": WITH_INPUT,
        "without_input": WITHOUT_INPUT,
        "end_token": END_TOKEN,
        "end_token_id": tokenizer.token_to_id(END_TOKEN),
        "neutral_end_token": "<| endoftext |>",
        "blank_characters": " \t\n\r\f\v",
        "context_length": CONTEXT_LENGTH,
        "generation": {"max_new_tokens": 24, "temperature": 0.0, "top_k": 0, "top_p": 1.0},
        "examples": [
            {"instruction": "What is the capital of France?", "input": ""},
            {"instruction": "Sort these words alphabetically.", "input": "peach, apple, lemon"},
            {"instruction": "Sort these words alphabetically.", "input": "pear, fig"},
            {"instruction": "Summarise this text.", "input": "word " * 100},
            {"instruction": "Is this word a noun or a verb?", "input": "river"},
        ],
    }


def training_json() -> dict[str, Any]:
    return {
        "parameters": 123456,
        "steps": 7,
        "train_loss": 1.25,
        "train_token_accuracy": 0.8,
        "eval_loss": 1.5,
        "eval_token_accuracy": 0.75,
        "seconds": 12.5,
        "supervised_tokens_per_second": 160.0,
        "data": {"train": {"rows": 100, "supervised_tokens": 2000}, "eval": {"rows": 10, "supervised_tokens": 200}},
        "samples": [
            {"prompt": WITHOUT_INPUT.format(instruction="Capital of France?"), "response": ANSWER, "expected": ANSWER}
        ],
        "exact_answers": {"rows": 120, "exact": 114, "share": 0.95},
        "model": {"preset": None, "num_layers": 1, "hidden_dim": HIDDEN_DIM},
        "training": {"learning_rate": 0.001, "epochs": 1, "seed": 1},
    }


def _write_ctranslate2(folder: Path, tokenizer: Tokenizer, *, chained: bool) -> None:
    vocabulary = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__)
    random = np.random.default_rng(0)
    embeddings = random.normal(size=(len(vocabulary), HIDDEN_DIM)).astype(np.float32)
    output = 0.01 * random.normal(size=embeddings.shape).astype(np.float32)
    if chained:
        for token, successor in answer_chain(tokenizer).items():
            output[successor] += embeddings[token]
    spec = _spec(embeddings, output)
    spec.register_vocabulary(vocabulary)
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = END_TOKEN
    spec.validate()
    spec.optimize()
    folder.mkdir(parents=True)
    spec.save(str(folder))


def answer_chain(tokenizer: Tokenizer) -> Mapping[int, int]:
    """Each token's successor, from the prompt's last token through the answer to the end token."""
    start = tokenizer.encode(WITHOUT_INPUT).ids[-1]
    chain = [start, *tokenizer.encode(ANSWER + END_TOKEN).ids]
    assert len(set(chain)) == len(chain), "a chain needs distinct tokens"
    return dict(itertools.pairwise(chain))


def _spec(embeddings: np.ndarray, output: np.ndarray) -> TransformerDecoderModelSpec:
    width = embeddings.shape[1]
    spec = TransformerDecoderModelSpec.from_config(1, 2, pre_norm=True, activation=common_spec.Activation.GELUTanh)
    decoder = spec.decoder
    decoder.scale_embeddings = False
    decoder.embeddings.weight = embeddings
    decoder.position_encodings.encodings = np.zeros((CONTEXT_LENGTH, width), np.float32)
    decoder.projection.weight = output
    layer = decoder.layer[0]
    for norm in (decoder.layer_norm, layer.self_attention.layer_norm, layer.ffn.layer_norm):
        norm.gamma, norm.beta = np.ones(width, np.float32), np.zeros(width, np.float32)
    for linear, shape in (
        (layer.self_attention.linear[0], (3 * width, width)),
        (layer.self_attention.linear[1], (width, width)),
        (layer.ffn.linear_0, (16, width)),
        (layer.ffn.linear_1, (width, 16)),
    ):
        linear.weight, linear.bias = np.zeros(shape, np.float32), np.zeros(shape[0], np.float32)
    return spec


def load_generator(folder: Path) -> ctranslate2.Generator:
    return ctranslate2.Generator(str(folder / "exports" / "ctranslate2"))


def _write(file: Path, content: Mapping[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
