from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from modules.training.optimizer import FusedAdamW

pytestmark = pytest.mark.arithmetic

SHAPES = {"kernel": (7, 5), "bias": (5,), "embeddings": (11, 3)}


def trained(kind: type[keras.optimizers.AdamW], accumulation_steps: int | None) -> list[np.ndarray]:
    """The variables after five steps with a schedule, clipping, weight decay, and one sparse gradient."""
    rng = np.random.default_rng(0)
    variables = [keras.Variable(rng.normal(size=shape), dtype="float32", name=name) for name, shape in SHAPES.items()]
    schedule = keras.optimizers.schedules.CosineDecay(0.0, 10, warmup_target=0.1, warmup_steps=2)
    optimizer = kind(
        schedule,
        weight_decay=0.1,
        beta_2=0.95,
        epsilon=1e-8,
        global_clipnorm=1.0,
        gradient_accumulation_steps=accumulation_steps,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.build(variables)
    for _ in range(5):
        gradients = [tf.constant(rng.normal(size=shape), tf.float32) for shape in SHAPES.values()]
        gradients[2] = tf.IndexedSlices(gradients[2][:4], tf.constant([0, 3, 3, 7]), dense_shape=tf.constant([11, 3]))
        optimizer.apply_gradients(list(zip(gradients, variables, strict=True)))
    return [variable.numpy() for variable in variables]


@pytest.mark.parametrize("accumulation_steps", [None, 2])
def test_one_kernel_updates_as_keras_own_operations_do(accumulation_steps: int | None) -> None:
    fused, plain = trained(FusedAdamW, accumulation_steps), trained(keras.optimizers.AdamW, accumulation_steps)
    for one, other in zip(fused, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
