"""GPT-2's forward pass in NumPy, from a Transformers checkpoint: shares no code with what it is to check.

Radford et al. 2019; the names of the weights are Transformers' ``modeling_gpt2.py``'s.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

Logits = Callable[[Sequence[int]], np.ndarray]  # token ids [T] → float32 [T, V]


def load_logits(folder: Path) -> Logits:
    """The checkpoint in `folder` as a function.

    Args:
        folder: with ``config.json`` and ``model.safetensors``.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = load_file(folder / "model.safetensors")
    weights = {name.removeprefix("transformer."): weight for name, weight in weights.items()}
    heads, layers, epsilon = config["n_head"], config["n_layer"], config.get("layer_norm_epsilon", 1e-5)

    def logits(token_ids: Sequence[int]) -> np.ndarray:
        x = weights["wte.weight"][list(token_ids)] + weights["wpe.weight"][: len(token_ids)]  # [T, D]
        for number in range(layers):
            x = _block(x, _part(weights, f"h.{number}."), heads=heads, epsilon=epsilon)
        return _norm(x, _part(weights, "ln_f."), epsilon) @ weights["wte.weight"].T

    return logits


def greedy(logits: Logits, token_ids: Sequence[int], *, steps: int, end_token_id: int) -> list[int]:
    """The likeliest continuation, up to and without the end token."""
    new: list[int] = []
    for _ in range(steps):
        token = int(np.argmax(logits([*token_ids, *new])[-1]))
        if token == end_token_id:
            break
        new.append(token)
    return new


def _block(x: np.ndarray, weights: dict[str, np.ndarray], *, heads: int, epsilon: float) -> np.ndarray:
    normed = _norm(x, _part(weights, "ln_1."), epsilon)
    qkv = normed @ weights["attn.c_attn.weight"] + weights["attn.c_attn.bias"]  # [T, 3 D]
    query, key, value = (_heads(part, heads) for part in np.split(qkv, 3, axis=-1))  # [H, T, D / H]
    scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])  # [H, T, T]
    scores = np.where(np.tri(len(x), dtype=bool), scores, -np.inf)
    attended = (_softmax(scores) @ value).transpose(1, 0, 2).reshape(x.shape)
    x = x + attended @ weights["attn.c_proj.weight"] + weights["attn.c_proj.bias"]
    inner = _norm(x, _part(weights, "ln_2."), epsilon) @ weights["mlp.c_fc.weight"] + weights["mlp.c_fc.bias"]
    return x + _gelu(inner) @ weights["mlp.c_proj.weight"] + weights["mlp.c_proj.bias"]


def _part(weights: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}


def _heads(x: np.ndarray, heads: int) -> np.ndarray:
    return x.reshape(len(x), heads, -1).transpose(1, 0, 2)


def _norm(x: np.ndarray, weights: dict[str, np.ndarray], epsilon: float) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(x.var(-1, keepdims=True) + epsilon) * weights["weight"] + weights["bias"]


def _softmax(x: np.ndarray) -> Any:
    exponentials = np.exp(x - x.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def _gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
