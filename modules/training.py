"""Optimizer, schedule and the training run itself; any Keras backend."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np

from modules.dataset import PackedBatches
from modules.losses import token_accuracy


class DivergedError(RuntimeError):
    """The loss became NaN or infinite."""

    user_message = True


@dataclass(frozen=True)
class TrainingResult:
    """What a run reached; losses are means over supervised tokens, in nats."""

    steps: int
    train_loss: float
    train_token_accuracy: float
    eval_loss: float
    eval_token_accuracy: float
    seconds: float
    supervised_tokens_per_second: float

    def as_dict(self) -> dict[str, int | float]:
        return asdict(self)


def plan_steps(*, steps_per_epoch: int, epochs: int, max_steps: int | None) -> tuple[int, int]:
    """Optimizer steps of the whole run, and the epochs that they take."""
    total = steps_per_epoch * epochs
    if max_steps is not None:
        total = min(total, max_steps)
    return total, math.ceil(total / steps_per_epoch)


def make_schedule(*, learning_rate: float, total_steps: int, warmup_fraction: float) -> Any:
    """Linear warm-up from 0, then half a cosine down to 0, over exactly `total_steps` steps."""
    warmup_steps = round(total_steps * warmup_fraction)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else learning_rate,
        decay_steps=max(total_steps - warmup_steps, 1),
        warmup_target=learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )


def make_optimizer(schedule: Any, *, weight_decay: float, clip_norm: float | None) -> keras.optimizers.Optimizer:
    """AdamW as Loshchilov & Hutter 2019, with GPT-2's and GPT-3's usual betas; no decay on biases and layer
    norms."""
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=weight_decay, beta_1=0.9, beta_2=0.95, epsilon=1e-8, global_clipnorm=clip_norm
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def fit(
    model: keras.Model,
    batches: PackedBatches,
    eval_batches: PackedBatches,
    *,
    optimizer: keras.optimizers.Optimizer,
    total_steps: int,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> TrainingResult:
    """Trains, then evaluates with dropout off.

    The loss of an optimizer step is the mean over its supervised tokens.

    Raises:
        DivergedError: At the first step whose loss is not finite.
    """
    # XLA's compile time is not earned back on CPU, where its step was no faster; JAX needs it.
    model.compile(optimizer, weighted_metrics=[token_accuracy()], jit_compile=keras.backend.backend() == "jax")
    # Made now, or TensorFlow would trace the first step twice: once with their creation and once without.
    optimizer.build(model.trainable_variables)
    total_batches = total_steps * batches.accumulation_steps
    started = time.monotonic()
    history = model.fit(
        batches, epochs=epochs, verbose=0, callbacks=[_Watch(total_batches=total_batches), *callbacks]
    ).history
    seconds = time.monotonic() - started
    evaluated = evaluate(model, eval_batches)
    supervised = batches.report().supervised_tokens / len(batches) * total_batches
    return TrainingResult(
        steps=total_steps,
        train_loss=float(history["loss"][-1]),
        train_token_accuracy=float(history["token_accuracy"][-1]),
        eval_loss=evaluated["loss"],
        eval_token_accuracy=evaluated["token_accuracy"],
        seconds=seconds,
        supervised_tokens_per_second=supervised / seconds,
    )


def evaluate(model: keras.Model, batches: PackedBatches) -> dict[str, float]:
    """``loss`` (nats) and ``token_accuracy`` (0 to 1), both means over all supervised tokens of `batches`."""
    sums, tokens = np.zeros(2), 0.0
    for index in range(len(batches)):
        inputs, _, weights = batches[index]
        used = weights > 0
        sums += model.predict_on_batch(inputs)[used].sum(axis=0, dtype=np.float64)  # [N, 2] summed
        tokens += int(used.sum())
    loss, correct = sums.tolist()
    return {"loss": loss / tokens, "token_accuracy": correct / tokens}


class _Watch(keras.callbacks.Callback):
    """Ends the run at its last batch, or at the first loss that is not finite."""

    def __init__(self, *, total_batches: int) -> None:
        super().__init__()
        self.total_batches = total_batches
        self.batches = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.batches += 1
        loss = float((logs or {})["loss"])
        if not math.isfinite(loss):
            raise DivergedError(
                f"Training needs a finite loss. Received: loss={loss} at batch {self.batches}. "
                "Lower training.learning_rate or training.clip_norm, or use float32."
            )
        if self.batches >= self.total_batches:
            self.model.stop_training = True
