"""AdamW that passes over the memory once."""

from __future__ import annotations

import importlib
from typing import Any

import keras
from keras import ops


class FusedAdamW(keras.optimizers.AdamW):
    """Keras' AdamW; on one TensorFlow device the update of a variable is one kernel instead of a dozen.

    Each of Keras' operations reads and writes arrays of the model's size, which is what an update's time goes into. On
    JAX the compiler fuses them by itself; several TensorFlow devices take Keras' way.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        tf = importlib.import_module("tensorflow") if keras.backend.backend() == "tensorflow" else None
        if tf is None or tf.distribute.has_strategy():
            super().update_step(gradient, variable, learning_rate)
            return
        step = ops.cast(self.iterations + 1, variable.dtype)
        index = self._get_variable_index(variable)
        moments = {name: found[index].value for name, found in (("m", self._momentums), ("v", self._velocities))}
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=moments["m"].handle,
            v=moments["v"].handle,
            beta1_power=ops.power(ops.cast(self.beta_1, variable.dtype), step),
            beta2_power=ops.power(ops.cast(self.beta_2, variable.dtype), step),
            lr=ops.cast(learning_rate, variable.dtype),
            beta1=ops.cast(self.beta_1, variable.dtype),
            beta2=ops.cast(self.beta_2, variable.dtype),
            epsilon=ops.cast(self.epsilon, variable.dtype),
            grad=tf.convert_to_tensor(tf.cast(gradient, variable.dtype)),
        )
