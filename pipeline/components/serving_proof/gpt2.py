"""GPT-2's forward pass in NumPy, from a Transformers checkpoint: shares no code with what it is to check.

Radford et al. 2019; the names of the weights are Transformers' ``modeling_gpt2.py``'s.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors.numpy import load_file

Cache = dict[int, tuple[np.ndarray, np.ndarray]]  # layer → keys and values, float32 [H, T, D / H] each


class Logits(Protocol):
    """The model as a function: token ids [T] → float32 [T, V], or [1, V] of the last one only.

    With a cache, the ids are those that follow what the cache has seen; it is filled on the way.
    """

    def __call__(
        self, token_ids: Sequence[int], *, last_only: bool = False, cache: Cache | None = None
    ) -> np.ndarray: ...


def load_logits(folder: Path) -> Logits:
    """The checkpoint in `folder` as a function.

    Args:
        folder: with ``config.json`` and ``model.safetensors``.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = load_file(folder / "model.safetensors")
    weights = {name.removeprefix("transformer."): weight for name, weight in weights.items()}
    heads, layers, epsilon = config["n_head"], config["n_layer"], config.get("layer_norm_epsilon", 1e-5)
    blocks = [_part(weights, f"h.{number}.") for number in range(layers)]

    def logits(token_ids: Sequence[int], *, last_only: bool = False, cache: Cache | None = None) -> np.ndarray:
        cache = {} if cache is None else cache
        seen = cache[0][0].shape[1] if cache else 0
        x = weights["wte.weight"][list(token_ids)] + weights["wpe.weight"][seen : seen + len(token_ids)]  # [T, D]
        for number, block in enumerate(blocks):
            normed = _norm(x, _part(block, "ln_1."), epsilon)
            attended, cache[number] = _attention(normed, _part(block, "attn."), heads=heads, past=cache.get(number))
            x = x + attended
            inner = _dense(_norm(x, _part(block, "ln_2."), epsilon), _part(block, "mlp.c_fc."))
            x = x + _dense(_gelu(inner), _part(block, "mlp.c_proj."))
        return _norm(x[-1:] if last_only else x, _part(weights, "ln_f."), epsilon) @ weights["wte.weight"].T

    return logits


def _attention(
    x: np.ndarray, weights: dict[str, np.ndarray], *, heads: int, past: tuple[np.ndarray, np.ndarray] | None
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    parts = np.split(_dense(x, _part(weights, "c_attn.")), 3, axis=-1)
    query, key, value = (part.reshape(len(x), heads, -1).transpose(1, 0, 2) for part in parts)  # [H, T, D / H]
    if past is not None:
        key, value = np.concatenate([past[0], key], axis=1), np.concatenate([past[1], value], axis=1)
    scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])  # [H, T, L]
    visible = np.tri(len(x), key.shape[1], k=key.shape[1] - len(x), dtype=bool)
    attended = _softmax(np.where(visible, scores, np.float32(-np.inf))) @ value  # [H, T, D / H]
    return _dense(attended.transpose(1, 0, 2).reshape(x.shape), _part(weights, "c_proj.")), (key, value)


def _dense(x: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    return x @ weights["weight"] + weights["bias"]


def _part(weights: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}


def _norm(x: np.ndarray, weights: dict[str, np.ndarray], epsilon: float) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(x.var(-1, keepdims=True) + epsilon) * weights["weight"] + weights["bias"]


def _softmax(x: np.ndarray) -> Any:
    exponentials = np.exp(x - x.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def _gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
