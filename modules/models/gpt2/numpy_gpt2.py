"""GPT-2's forward pass in NumPy: shares no code with what it is to check.

Radford et al. 2019. :func:`read_checkpoint` takes the weights of a Transformers checkpoint, by the names of its
``modeling_gpt2.py``; :func:`network_of_generator` those of a CTranslate2 generator; :func:`read_gguf` those of a GGUF
file, by the names of llama.cpp's ``llama-arch.cpp``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors.numpy import load_file

from modules.models.matrix import FloatMatrix, Matrix

EPSILON = 1e-5  # of layer normalisation, GPT-2's

Cache = dict[int, tuple[np.ndarray, np.ndarray]]  # layer → keys and values, float32 [H, T, D / H] each
Dense = Callable[[np.ndarray], np.ndarray]  # float32 [T, D in] → [T, D out]


class Logits(Protocol):
    """The model as a function: token ids [T] → float32 [T, V], or [last, V] of so many last ones only.

    With a cache, the ids are those that follow what the cache has seen; it is filled on the way.
    """

    def __call__(
        self, token_ids: Sequence[int], *, last: int | None = None, cache: Cache | None = None
    ) -> np.ndarray: ...


@dataclass(frozen=True)
class Block:
    """One transformer block: its normalisations, and its matrix products."""

    attention_norm: Dense
    attention_in: Dense  # [T, D] → [T, 3 D]: queries, keys, values
    attention_out: Dense
    feedforward_norm: Dense
    feedforward_in: Dense
    feedforward_out: Dense


# Names of a block's weights, by their place in the block.
IN_CHECKPOINT = {
    "attention_norm": "ln_1",
    "attention_in": "attn.c_attn",
    "attention_out": "attn.c_proj",
    "feedforward_norm": "ln_2",
    "feedforward_in": "mlp.c_fc",
    "feedforward_out": "mlp.c_proj",
}
IN_GENERATOR = {
    "attention_norm": "self_attention/layer_norm",
    "attention_in": "self_attention/linear_0",
    "attention_out": "self_attention/linear_1",
    "feedforward_norm": "ffn/layer_norm",
    "feedforward_in": "ffn/linear_0",
    "feedforward_out": "ffn/linear_1",
}
IN_GGUF = {
    "attention_norm": "attn_norm",
    "attention_in": "attn_qkv",
    "attention_out": "attn_output",
    "feedforward_norm": "ffn_norm",
    "feedforward_in": "ffn_up",
    "feedforward_out": "ffn_down",
}


def _block(
    prefix: str, names: Mapping[str, str], norm_of: Callable[[str], Dense], dense_of: Callable[[str], Dense]
) -> Block:
    makers = {place: norm_of if place.endswith("_norm") else dense_of for place in names}
    return Block(**{place: makers[place](f"{prefix}{name}") for place, name in names.items()})


@dataclass(frozen=True)
class Network:
    """GPT-2's parts."""

    heads: int
    embedding: Matrix  # [V, D], of the tokens that come in and of those that go out
    positions: np.ndarray  # float32 [longest, D]
    blocks: Sequence[Block]
    last_norm: Dense

    def logits(self, token_ids: Sequence[int], *, last: int | None = None, cache: Cache | None = None) -> np.ndarray:
        """As :class:`Logits` says."""
        cache = {} if cache is None else cache
        seen = cache[0][0].shape[1] if cache else 0
        x = self.embedding.rows(token_ids) + self.positions[seen : seen + len(token_ids)]  # [T, D]
        for number, block in enumerate(self.blocks):
            queries_keys_values = block.attention_in(block.attention_norm(x))
            attended, cache[number] = _attention(queries_keys_values, heads=self.heads, past=cache.get(number))
            x = x + block.attention_out(attended)
            x = x + block.feedforward_out(gelu(block.feedforward_in(block.feedforward_norm(x))))
        return self.embedding.product(self.last_norm(x if last is None else x[-last:]))


def read_checkpoint(folder: Path, *, matrix: Callable[[np.ndarray], Matrix] = FloatMatrix) -> Network:
    """Reads a Transformers checkpoint.

    Args:
        folder: with ``config.json`` and ``model.safetensors``.
        matrix: how a weight matrix, float32 [N, K], is stored and multiplied.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = load_file(folder / "model.safetensors")
    weights = {name.removeprefix("transformer."): weight for name, weight in weights.items()}
    norm = partial(layer_norm, epsilon=config.get("layer_norm_epsilon", EPSILON))

    def dense_of(name: str) -> Dense:
        return partial(dense, matrix(weights[f"{name}.weight"].T), weights[f"{name}.bias"])

    def norm_of(name: str) -> Dense:
        return partial(norm, weight=weights[f"{name}.weight"], bias=weights[f"{name}.bias"])

    return Network(
        heads=config["n_head"],
        embedding=matrix(weights["wte.weight"]),
        positions=weights["wpe.weight"],
        blocks=[_block(f"h.{number}.", IN_CHECKPOINT, norm_of, dense_of) for number in range(config["n_layer"])],
        last_norm=norm_of("ln_f"),
    )


def network_of_generator(weights: Mapping[str, np.ndarray], *, matrix: Callable[[str], Matrix]) -> Network:
    """Returns the network of a CTranslate2 generator.

    Args:
        weights: its variables by name.
        matrix: gives the weight matrix of a name.
    """

    def dense_of(name: str) -> Dense:
        return partial(dense, matrix(name), weights[f"{name}/bias"])

    def norm_of(name: str) -> Dense:
        return partial(layer_norm, weight=weights[f"{name}/gamma"], bias=weights[f"{name}/beta"])

    layers = {name.split("/")[1] for name in weights if name.startswith("decoder/layer_")} - {"layer_norm"}
    return Network(
        heads=int(weights["decoder/num_heads"]),
        embedding=matrix("decoder/embeddings"),
        positions=weights["decoder/position_encodings/encodings"],
        blocks=[_block(f"decoder/layer_{number}/", IN_GENERATOR, norm_of, dense_of) for number in range(len(layers))],
        last_norm=norm_of("decoder/layer_norm"),
    )


def read_gguf(file: Path) -> Network:
    """Reads a GGUF file; weights are given back their float32 values, activations are not rounded."""
    import gguf

    reader = gguf.GGUFReader(file)
    weights = {tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type) for tensor in reader.tensors}

    def number_of(name: str) -> float:
        return float(reader.fields[f"gpt2.{name}"].contents())

    def dense_of(name: str) -> Dense:
        return partial(dense, FloatMatrix(weights[f"{name}.weight"]), weights[f"{name}.bias"])

    def norm_of(name: str) -> Dense:
        epsilon = number_of("attention.layer_norm_epsilon")
        return partial(layer_norm, weight=weights[f"{name}.weight"], bias=weights[f"{name}.bias"], epsilon=epsilon)

    return Network(
        heads=int(number_of("attention.head_count")),
        embedding=FloatMatrix(weights["token_embd.weight"]),
        positions=weights["position_embd.weight"],
        blocks=[
            _block(f"blk.{number}.", IN_GGUF, norm_of, dense_of) for number in range(int(number_of("block_count")))
        ],
        last_norm=norm_of("output_norm"),
    )


def _attention(
    queries_keys_values: np.ndarray, *, heads: int, past: tuple[np.ndarray, np.ndarray] | None
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    length = len(queries_keys_values)
    parts = np.split(queries_keys_values, 3, axis=-1)
    query, key, value = (part.reshape(length, heads, -1).transpose(1, 0, 2) for part in parts)  # [H, T, D / H]
    if past is not None:
        key, value = np.concatenate([past[0], key], axis=1), np.concatenate([past[1], value], axis=1)
    scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])  # [H, T, L]
    visible = np.tri(length, key.shape[1], k=key.shape[1] - length, dtype=bool)
    attended = _softmax(np.where(visible, scores, np.float32(-np.inf))) @ value  # [H, T, D / H]
    return attended.transpose(1, 0, 2).reshape(length, -1), (key, value)


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, *, epsilon: float = EPSILON) -> np.ndarray:
    """float32 [T, D] → the same, normalised by row (Ba et al. 2016)."""
    centred = x - x.mean(-1, keepdims=True)
    normed: np.ndarray = centred / np.sqrt(x.var(-1, keepdims=True) + epsilon) * weight + bias
    return normed


def gelu(x: np.ndarray) -> np.ndarray:
    """GELU by tanh, as GPT-2 has it (Hendrycks and Gimpel 2016)."""
    activated: np.ndarray = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return activated


def dense(matrix: Matrix, bias: np.ndarray, x: np.ndarray) -> np.ndarray:
    """float32 [T, K] → [T, N]."""
    return matrix.product(x) + bias


def _softmax(x: np.ndarray) -> Any:
    exponentials = np.exp(x - x.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)
