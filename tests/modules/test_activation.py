from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from modules.models.gpt2.activation import gelu

pytestmark = pytest.mark.arithmetic


def plain(x: Any) -> Any:
    return keras.activations.gelu(x, approximate=True)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 5e-6), ("bfloat16", 2e-2)])
def test_value_and_gradient_are_keras(dtype: str, tolerance: float) -> None:
    x = tf.cast(np.linspace(-9, 9, 4001), dtype)
    found = []
    for function in (gelu, plain):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
            loss = tf.reduce_sum(y * y)
        found.append([np.asarray(tf.cast(array, "float64")) for array in (y, tape.gradient(loss, x))])

    (value, gradient), (expected, expected_gradient) = found
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=0, atol=tolerance * 18)


def test_the_extremes_have_finite_gradients() -> None:
    x = tf.constant([-1e30, -1e4, 0.0, 1e4, 1e30])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = gelu(x)

    assert np.isfinite(tape.gradient(y, x)[1:4]).all()
