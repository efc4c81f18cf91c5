"""GPT-2's activation, with a gradient that keeps its input only."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

SCALE = 2 * math.sqrt(2 / math.pi)
CUBIC = 0.044715


@ops.custom_gradient
def gelu(x: Any) -> Any:
    """Returns the tanh form of GELU (Hendrycks & Gimpel, 2016), of any float array.

    TensorFlow's own gradient keeps five arrays of the feed-forward's width per block, most of a block's memory in
    training. The derivative below is made from the input alone: x σ(u) is the same function, u being 2 √(2/π)
    (x + 0.044715 x³). It is written otherwise than the forward pass, or TensorFlow would find the common parts, compute
    them once, and keep them.
    """

    def gradient(*arguments: Any, upstream: Any = None) -> Any:
        given = arguments[-1] if upstream is None else upstream
        square = ops.square(x)
        share = ops.sigmoid(x * (SCALE + SCALE * CUBIC * square))
        slope = share + x * share * (1 - share) * (SCALE + 3 * SCALE * CUBIC * square)
        return given * slope

    return keras.activations.gelu(x, approximate=True), gradient
