"""Adapters alone on disk, as PEFT reads them: ``adapter_config.json`` and ``adapter_model.safetensors``.

``PeftModel.from_pretrained(base, folder)`` puts them onto the Transformers form of the base. There query, key and value
are one layer, and an adapter has no heads: those of all heads stand in it side by side, so its rank is the sum of
theirs. Layer norms that were trained too are stored whole. Of a quantised base the adapters fit only that base: PEFT
adds them to the one it was made from, whose kernels differ by the rounding.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from safetensors.numpy import save_file

from modules.models.gpt2.layers import BlockLayers, blocks

if TYPE_CHECKING:
    from keras_hub.models import GPT2Backbone

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model.transformer"
Factors = tuple[np.ndarray, np.ndarray]  # a [in, rank] and b [rank, out]: a @ b is added to the kernel, scaled


def save_adapter(backbone: GPT2Backbone, folder: Path, *, base: str) -> None:
    """Writes the adapters of a trained backbone, and the layer norms that were trained too.

    Args:
        backbone: with adapters.
        folder: where to write; made.
        base: repository or folder of the model that they belong to.
    """
    factors = dict(_factors(backbone))
    tensors = {}
    for name, (a, b) in factors.items():
        tensors[f"{PREFIX}.{name}.lora_A.weight"] = np.ascontiguousarray(a.T)  # [rank, in]
        tensors[f"{PREFIX}.{name}.lora_B.weight"] = np.ascontiguousarray(b.T)  # [out, rank]
    norms = dict(_trained_norms(backbone))
    tensors |= {f"{PREFIX}.{name}": array for name, array in norms.items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    config = _config(backbone, factors, norms=bool(norms), base=base)
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _config(backbone: GPT2Backbone, factors: Mapping[str, Factors], *, norms: bool, base: str) -> dict[str, Any]:
    ranks = {name.partition(".")[2].partition(".")[2]: a.shape[1] for name, (a, _) in factors.items()}
    scale = next(
        layer.lora_alpha / layer.lora_rank for block in blocks(backbone) for layer in block.dense if layer.lora_enabled
    )
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": max(ranks.values()),
        "lora_alpha": scale * max(ranks.values()),
        "rank_pattern": ranks,
        "alpha_pattern": {name: scale * rank for name, rank in ranks.items()},
        "target_modules": sorted(ranks),
        "modules_to_save": ["ln_1", "ln_2", "ln_f"] if norms else None,
        "fan_in_fan_out": True,
        "lora_dropout": 0.0,
        "bias": "none",
        "inference_mode": True,
    }


def _factors(backbone: GPT2Backbone) -> Iterator[tuple[str, Factors]]:
    """Yields the adapters by the names of Transformers' layers."""
    for index, block in enumerate(blocks(backbone)):
        if any(layer.lora_enabled for layer in (block.query, block.key, block.value)):
            yield f"h.{index}.attn.c_attn", _side_by_side(block)
        for name, layer in {
            "attn.c_proj": block.output, "mlp.c_fc": block.intermediate, "mlp.c_proj": block.projection
        }.items():  # fmt: skip
            if layer.lora_enabled:
                a, b = _array(layer.lora_kernel_a), _array(layer.lora_kernel_b)
                yield f"h.{index}.{name}", (a.reshape(-1, a.shape[-1]), b)


def _side_by_side(block: BlockLayers) -> Factors:
    """Returns the adapters of query, key and value of all heads as one."""
    width = block.query.bias.shape[0] * block.query.bias.shape[1]
    heads, head_dim = block.query.bias.shape
    a_parts, b_parts = [], []
    for place, layer in enumerate((block.query, block.key, block.value)):
        if not layer.lora_enabled:
            continue
        a, b = _array(layer.lora_kernel_a), _array(layer.lora_kernel_b)  # [D, heads, rank], [rank, head_dim]
        for head in range(heads):
            column = place * width + head * head_dim
            a_parts.append(a[:, head])
            b_parts.append(np.pad(b, ((0, 0), (column, 3 * width - column - head_dim))))
    return np.concatenate(a_parts, axis=1), np.concatenate(b_parts)


def _trained_norms(backbone: GPT2Backbone) -> Iterator[tuple[str, np.ndarray]]:
    norms = {"ln_f": backbone.layer_norm}
    for index, block in enumerate(blocks(backbone)):
        norms |= {f"h.{index}.ln_1": block.attention_norm, f"h.{index}.ln_2": block.feedforward_norm}
    for name, norm in norms.items():
        if norm.gamma.trainable:
            yield from ((f"{name}.weight", _array(norm.gamma)), (f"{name}.bias", _array(norm.beta)))


def _array(variable: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(variable), np.float32)
