"""A KerasHub backbone as an ONNX file, by Keras' own exporter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_hub.models import Backbone

DIMENSIONS = ("batch", "tokens")


def save_onnx(backbone: Backbone, file: Path) -> None:
    """Writes what makes logits, float32 [B, T, V], of token ids and padding mask, int32 [B, T]; without a cache."""
    import keras
    import numpy as np
    import onnx

    logits = backbone.token_embedding(backbone.output, reverse=True)
    model = keras.Model(backbone.inputs, {"logits": logits})
    ones = np.ones((1, 2), np.int32)
    model({"token_ids": ones, "padding_mask": ones})  # Keras exports what was called before
    model.export(str(file), format="onnx", verbose=False)
    written = onnx.load(file)
    for value in (*written.graph.input, *written.graph.output):
        for dimension, name in zip(value.type.tensor_type.shape.dim, DIMENSIONS, strict=False):
            dimension.dim_param = name  # instead of a number of the exporter's
    onnx.save(written, file)
