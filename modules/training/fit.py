"""Optimizer, schedule and the training run itself; any Keras backend."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import keras

from modules.training.callbacks.callback_list import BatchTotals
from modules.training.callbacks.checkpoint import CheckpointPlan, Followers, TrainingRun
from modules.training.callbacks.evaluation import EvaluationPlan, HeldOut
from modules.training.dataset import PackedBatches
from modules.training.devices import sum_before_clipping
from modules.training.optimizer import FusedAdamW


@dataclass(frozen=True)
class TrainingResult:
    """What a run reached; losses are means over supervised tokens, in nats.

    Attributes:
        steps: optimizer steps done, those before a resumption included.
        planned_steps: optimizer steps that there were to be.
        stop_reason: why there were fewer, to follow "because"; None if there were not.
        kept_step: the step that the weights come from.
        resumed_from: optimizer steps that came from a checkpoint; 0 if the run began anew.
        train_loss: mean over the steps of the last epoch.
        train_token_accuracy: likewise.
        eval_loss: of the weights that were kept.
        eval_token_accuracy: likewise.
        seconds: of training, those before a resumption included.
        supervised_tokens_per_second: over all of them.
        evaluations: step, loss and token accuracy of each evaluation.
    """

    steps: int
    planned_steps: int
    stop_reason: str | None
    kept_step: int
    resumed_from: int
    train_loss: float
    train_token_accuracy: float
    eval_loss: float
    eval_token_accuracy: float
    seconds: float
    supervised_tokens_per_second: float
    evaluations: list[tuple[int, float, float]]

    def as_dict(self) -> dict[str, Any]:
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


def make_optimizer(
    schedule: Any,
    *,
    weight_decay: float,
    clip_norm: float | None,
    accumulation_steps: int = 1,
    precision: str = "float32",
) -> keras.optimizers.Optimizer:
    """AdamW as Loshchilov & Hutter 2019, with GPT-2's and GPT-3's usual betas; no decay on biases and layer
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


def fit(
    model: keras.Model,
    batches: PackedBatches,
    eval_batches: PackedBatches,
    *,
    optimizer: keras.optimizers.Optimizer,
    total_steps: int,
    evaluation: EvaluationPlan | None = None,
    checkpoints: CheckpointPlan | None = None,
    followers: Followers | None = None,
    describe_row: Callable[[int], str] = str,
) -> TrainingResult:
    """Trains, from the newest checkpoint if there is one, and evaluates with dropout off.

    The loss of an optimizer step is the mean over its supervised tokens. Checkpoints are left in their folder: clear it
    when what was trained is safe.

    Args:
        model: what :func:`modules.network.model.training_model` gives.
        batches: of the training split.
        eval_batches: of the evaluation split.
        optimizer: its accumulation steps are those of `batches`.
        total_steps: optimizer steps of the run.
        evaluation: when to evaluate before the end, and what follows; None only evaluates what was trained.
        checkpoints: None writes none and resumes from none.
        followers: who else follows the run.
        describe_row: says, in errors, what is in one of the rows that the training split was made of.

    Raises:
        DivergedError: At the first step whose loss is not finite; checkpoints from before stay.
        OutOfMemoryError: If a batch does not fit.
        CheckpointMismatchError: If the newest checkpoint holds other shapes.
    """
    followers = followers or Followers()
    parts = batches.sharing.parts
    if parts > 1:
        sum_before_clipping(optimizer)
    # XLA's compile time is not earned back on CPU, where its step was no faster; JAX needs it.
    model.compile(optimizer, weighted_metrics=[BatchTotals(parts=parts)], jit_compile=keras.backend.backend() == "jax")
    # Made now, or TensorFlow would trace the first step twice: once with their creation and once without.
    optimizer.build(model.trainable_variables)
    held_out = HeldOut(
        model,
        eval_batches,
        evaluation or EvaluationPlan(),
        total_steps=total_steps,
        report=followers.evaluated,
        begin=followers.evaluating,
    )
    run = TrainingRun(model, batches, held_out, total_steps, checkpoints, followers, describe_row)
    run.resume()
    run.train()
    kept_step = held_out.finish(run.step)
    evaluated = held_out.evaluate(kept_step)
    supervised = batches.report().supervised_tokens / batches.steps * run.step
    return TrainingResult(
        steps=run.step,
        planned_steps=total_steps,
        stop_reason=held_out.stop_reason,
        kept_step=kept_step,
        resumed_from=run.resumed_from,
        train_loss=run.epoch.loss,
        train_token_accuracy=run.epoch.token_accuracy,
        eval_loss=evaluated["loss"],
        eval_token_accuracy=evaluated["token_accuracy"],
        seconds=run.seconds,
        supervised_tokens_per_second=supervised / max(run.seconds, 1e-9),
        evaluations=[(step, result["loss"], result["token_accuracy"]) for step, result in held_out.results.items()],
    )
