"""AdamW that passes over the memory once, and the schedule of its learning rate."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

if TYPE_CHECKING:
    from modules.settings.training import TrainingSettings


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


def configured_optimizer(training: TrainingSettings, schedule: Any) -> keras.optimizers.Optimizer:
    """Returns the optimizer that the settings ask for; `schedule` is its learning rate by optimizer step."""
    return make_optimizer(
        schedule,
        weight_decay=training.weight_decay,
        clip_norm=training.clip_norm,
        accumulation_steps=training.accumulation_steps,
        precision=training.precision,
    )


def make_schedule(*, learning_rate: float, total_steps: int, warmup_fraction: float) -> Any:
    """Returns a linear warm-up from 0, then half a cosine down to 0, over exactly `total_steps` steps."""
    warmup_steps = round(total_steps * warmup_fraction)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else learning_rate,
        decay_steps=max(total_steps - warmup_steps, 1),
        warmup_target=learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )


def make_optimizer(
    schedule: Any,
    *,
    weight_decay: float,
    clip_norm: float | None,
    accumulation_steps: int = 1,
    precision: str = "float32",
) -> keras.optimizers.Optimizer:
    """Returns AdamW as Loshchilov & Hutter 2019, with GPT-2's and GPT-3's usual betas; no decay on biases and layer
    norms.

    Args:
        schedule: learning rate by optimizer step, or one for all.
        weight_decay: 0 for none.
        clip_norm: global norm above which gradients are scaled down; None for no limit.
        accumulation_steps: batches whose gradients make one step.
        precision: Keras dtype policy; with ``mixed_float16`` the loss is scaled, so that no gradient vanishes.
    """
    optimizer = FusedAdamW(
        schedule,
        weight_decay=weight_decay,
        beta_1=0.9,
        beta_2=0.95,
        epsilon=1e-8,
        global_clipnorm=clip_norm,
        gradient_accumulation_steps=accumulation_steps if accumulation_steps > 1 else None,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return keras.optimizers.LossScaleOptimizer(optimizer) if precision == "mixed_float16" else optimizer
