"""A trained model as it is exported: plain, in float32."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from modules.models.families import family_of
from modules.models.family import Kernel, Sizes
from modules.models.lora import has_adapters, is_quantized, merged_kernel

if TYPE_CHECKING:
    import keras_hub


def as_float32(backbone: keras_hub.models.Backbone) -> keras_hub.models.Backbone:
    """Returns the same model, plain and computing in float32; the backbone itself if it is so already.

    Adapters are merged into their kernels, and quantised kernels turned back, without quantising the sum again.
    """
    if backbone.compute_dtype == "float32" and not has_adapters(backbone) and not is_quantized(backbone):
        return backbone
    copy = family_of(backbone).build(Sizes.of(backbone), dropout=backbone.dropout, dtype="float32")
    for target, source in zip(copy.weights, _plain_weights(backbone), strict=True):
        # A copy: JAX would share what the training of one model may delete.
        target.assign(np.array(ops.convert_to_numpy(source)))
    return copy


def _plain_weights(backbone: keras_hub.models.Backbone) -> Iterator[Any]:
    """Yields the weights in the order of a plain backbone's."""
    for weight in family_of(backbone).weights_in_order(backbone):
        yield merged_kernel(weight.layer) if isinstance(weight, Kernel) else weight
