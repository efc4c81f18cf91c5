"""One batch of two packed rows, as `PackedBatches` gives them, and what a model makes of it; any Keras backend."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

LENGTH = 16


def packed_batch(vocabulary_size: int) -> dict[str, np.ndarray]:
    """Two rows of two segments each; every token is supervised."""
    rng = np.random.default_rng(0)
    places = np.tile(np.arange(LENGTH, dtype="int32"), (2, 1))
    return {
        "token_ids": rng.integers(0, vocabulary_size, (2, LENGTH)).astype("int32"),
        "positions": places % 8,
        "segment_ids": places // 8,
        "supervised": np.arange(2 * LENGTH, dtype="int32"),
        "targets": rng.integers(0, vocabulary_size, 2 * LENGTH).astype("int32"),
        "weights": np.full(2 * LENGTH, 1 / (2 * LENGTH), "float32"),
    }


def train(
    model: keras.Model, optimizer: Any, *, steps: int, vocabulary_size: int, eagerly: bool = False
) -> list[float]:
    """The loss before each of `steps` steps on the one batch; TensorFlow's graph takes seconds, but its steps less."""
    on_jax = keras.backend.backend() == "jax"
    model.compile(optimizer, jit_compile=on_jax, run_eagerly=eagerly and not on_jax)
    model.optimizer.build(model.trainable_variables)
    batch = packed_batch(vocabulary_size)
    nothing = np.zeros(2 * LENGTH, "float32")
    return [float(np.ravel(np.asarray(model.train_on_batch(batch, nothing)))[0]) for _ in range(steps)]


def gradients(model: keras.Model, *, vocabulary_size: int, eagerly: bool = False) -> dict[str, np.ndarray]:
    """Of the loss, by the variables' paths: the way that one step of plain descent goes, which is then taken back."""
    before = {variable.path: np.array(variable) for variable in model.variables}
    train(model, keras.optimizers.SGD(1.0), steps=1, vocabulary_size=vocabulary_size, eagerly=eagerly)
    after = {variable.path: np.array(variable) for variable in model.variables}
    for variable, value in zip(model.variables, before.values(), strict=True):
        variable.assign(value)
    return {path: value - after[path] for path, value in before.items()}
