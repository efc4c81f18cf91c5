"""A KerasHub backbone as an ONNX file, by Keras' own exporter."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_hub.models import Backbone

DIMENSIONS = ("batch", "tokens")
LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def save_onnx(backbone: Backbone, file: Path) -> None:
    """Writes what makes logits, float32 [B, T, V], of token ids and padding mask, int32 [B, T]; without a cache."""
    import keras
    import numpy as np
    import onnx

    _import_exporter()
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


def _import_exporter() -> None:
    """Imports what Keras exports by, and takes back that it silences TensorFlow, in this process and its children."""
    before = os.environ.get(LOG_LEVEL)
    importlib.import_module("tf2onnx.convert")
    if before is None:
        os.environ.pop(LOG_LEVEL, None)
    else:
        os.environ[LOG_LEVEL] = before
