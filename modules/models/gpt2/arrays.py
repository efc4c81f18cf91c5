"""GPT-2's weights as arrays, laid out as most libraries have them: a matrix per product, from inputs to outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from modules.models.gpt2.layers import blocks

if TYPE_CHECKING:
    from keras_hub.models import GPT2Backbone


class Affine(NamedTuple):
    """Weight and bias, float32: [out, in] and [out] of a product, [D] and [D] of a normalisation."""

    weight: np.ndarray
    bias: np.ndarray


class BlockArrays(NamedTuple):
    """One block's weights in the order of computation; `attention_in` has queries, keys and values, in this order."""

    attention_norm: Affine
    attention_in: Affine
    attention_out: Affine
    feedforward_norm: Affine
    feedforward_in: Affine
    feedforward_out: Affine


def block_arrays(backbone: GPT2Backbone) -> Iterator[BlockArrays]:
    """Yields every block's weights, from the first to the last."""
    size = backbone.hidden_dim
    for block in blocks(backbone):
        parts = [block.query, block.key, block.value]
        yield BlockArrays(
            attention_norm=norm_arrays(block.attention_norm),
            # Keras has [D, heads, head_dim].
            attention_in=Affine(
                np.concatenate([array(part.kernel).reshape(size, size).T for part in parts]),
                np.concatenate([array(part.bias).reshape(size) for part in parts]),
            ),
            attention_out=Affine(array(block.output.kernel).reshape(size, size).T, array(block.output.bias)),
            feedforward_norm=norm_arrays(block.feedforward_norm),
            feedforward_in=Affine(array(block.intermediate.kernel).T, array(block.intermediate.bias)),
            feedforward_out=Affine(array(block.projection.kernel).T, array(block.projection.bias)),
        )


def norm_arrays(layer: Any) -> Affine:
    """Returns gamma and beta."""
    return Affine(array(layer.gamma), array(layer.beta))


def array(variable: Any) -> np.ndarray:
    """Returns a variable's values, float32."""
    return np.asarray(variable.numpy(), dtype=np.float32)
