"""A training: Keras' ``fit`` from the newest checkpoint on, and what came of it; any Keras backend."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras

from modules.training.callbacks.callback_list import StepCallbackList
from modules.training.callbacks.checkpoint import CheckpointWriter, restore_newest
from modules.training.callbacks.divergence import DivergenceCheck, StepRows
from modules.training.callbacks.evaluation import Evaluation, EvaluationPlan
from modules.training.callbacks.timer import TrainingTimer
from modules.training.checkpoints import CheckpointFolder
from modules.training.dataset import BatchStream, PackedBatches
from modules.training.devices import sum_before_clipping
from modules.training.memory import memory_errors
from modules.training.totals import BatchTotals


@dataclass(frozen=True)
class CheckpointPlan:
    """The folder of the checkpoints, and the number of optimizer steps from one to the next."""

    folder: CheckpointFolder
    every_steps: int


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training; losses are means over supervised tokens, in nats.

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
    """Returns the optimizer steps of the whole run, and the epochs that they take."""
    total = steps_per_epoch * epochs
    if max_steps is not None:
        total = min(total, max_steps)
    return total, math.ceil(total / steps_per_epoch)


def fit(
    model: keras.Model,
    batches: PackedBatches,
    eval_batches: PackedBatches,
    *,
    optimizer: keras.optimizers.Optimizer,
    total_steps: int,
    evaluation: EvaluationPlan | None = None,
    checkpoints: CheckpointPlan | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    read_every: int = 10,
    describe_row: Callable[[int], str] = str,
) -> TrainingResult:
    """Trains, from the newest checkpoint if there is one, and evaluates with dropout off.

    The loss of an optimizer step is the mean over its supervised tokens. Checkpoints are left in their folder: clear it
    when what was trained is safe.

    Args:
        model: what :func:`modules.models.training_model.training_model` gives.
        batches: of the training split.
        eval_batches: of the evaluation split.
        optimizer: its accumulation steps are those of `batches`.
        total_steps: optimizer steps of the run.
        evaluation: when to evaluate before the end, and what follows; None only evaluates what was trained.
        checkpoints: None writes none and resumes from none.
        callbacks: who else follows the run; :mod:`modules.training.callbacks.base` says how they are called.
        read_every: optimizer steps after which losses are read in any case.
        describe_row: says, in errors, what is in one of the rows that the training split was made of.

    Raises:
        DivergedError: At the first step whose loss is not finite; checkpoints from before stay.
        OutOfMemoryError: If a batch does not fit.
        CheckpointMismatchError: If the newest checkpoint holds other shapes.
    """
    compile_model(model, optimizer, parts=batches.sharing.parts)
    held_out = Evaluation(eval_batches, evaluation or EvaluationPlan(), total_steps=total_steps)
    timer, rows = TrainingTimer(), StepRows(batches, describe_row, checkpoints.folder if checkpoints else None)
    writers = checkpoint_writers(checkpoints, total_steps=total_steps, rows=rows)
    steps = StepCallbackList(
        [DivergenceCheck(rows), timer, *callbacks, held_out, *writers],
        model=model,
        total_steps=total_steps,
        steps_per_epoch=batches.steps,
        accumulation_steps=batches.accumulation_steps,
        read_every=read_every,
    )
    found = restore_newest(checkpoints.folder, model, steps) if checkpoints else None
    if found is None or not (found.progress["finished"] or held_out.has_stopped):
        first, last = (step * batches.accumulation_steps for step in (steps.step, total_steps))
        stream = BatchStream(batches, start=first, stop=last)
        with memory_errors(batches):
            # The stream has its order; Keras would draw another one, different on each backend and after a resumption.
            model.fit(feed(stream), steps_per_epoch=len(stream), shuffle=False, verbose=0, callbacks=steps)
    return training_result(steps, held_out, timer, batches, resumed_from=found.step if found else 0)


def compile_model(model: keras.Model, optimizer: keras.optimizers.Optimizer, *, parts: int = 1) -> None:
    """Compiles a training model, and makes the optimizer's variables.

    Args:
        model: to train.
        optimizer: to train it with.
        parts: of a batch, which devices sum up apart.
    """
    if parts > 1:
        sum_before_clipping(optimizer)
    # XLA's compile time is not earned back on CPU, where its step was no faster; JAX needs it.
    model.compile(optimizer, weighted_metrics=[BatchTotals(parts=parts)], jit_compile=keras.backend.backend() == "jax")
    # Made now, or TensorFlow would trace the first step twice: once with their creation and once without.
    optimizer.build(model.trainable_variables)


def checkpoint_writers(plan: CheckpointPlan | None, *, total_steps: int, rows: StepRows) -> list[CheckpointWriter]:
    """Returns what writes checkpoints, if anything does."""
    if plan is None:
        return []
    return [CheckpointWriter(plan.folder, every_steps=plan.every_steps, total_steps=total_steps, rows=rows)]


def training_result(
    steps: StepCallbackList,
    held_out: Evaluation,
    timer: TrainingTimer,
    batches: PackedBatches,
    *,
    resumed_from: int,
) -> TrainingResult:
    """Keeps the weights that are to be kept, evaluates them, and returns what the run reached."""
    kept_step = held_out.keep_weights(steps.step)
    kept, epoch = held_out.evaluate(kept_step), steps.epoch_mean.logs
    supervised = batches.report().supervised_tokens / batches.steps * steps.step
    return TrainingResult(
        steps=steps.step,
        planned_steps=steps.total_steps,
        stop_reason=held_out.stop_reason,
        kept_step=kept_step,
        resumed_from=resumed_from,
        train_loss=epoch["loss"],
        train_token_accuracy=epoch["token_accuracy"],
        eval_loss=kept.loss,
        eval_token_accuracy=kept.token_accuracy,
        seconds=timer.seconds,
        supervised_tokens_per_second=supervised / max(timer.seconds, 1e-9),
        evaluations=[(step, each.loss, each.token_accuracy) for step, each in held_out.results.items()],
    )


def feed(stream: BatchStream) -> Any:
    """Returns the stream in the form that Keras takes on this backend."""
    if keras.backend.backend() != "tensorflow":
        return stream
    # Keras would tell the shapes of all batches from those of the first two.
    tf = importlib.import_module("tensorflow")
    shapes = keras.tree.map_structure(lambda array: tf.TensorSpec([None] * array.ndim, array.dtype), stream[0])
    batches = tf.data.Dataset.from_generator(
        lambda: map(stream.__getitem__, range(len(stream))), output_signature=shapes
    )
    return batches.apply(tf.data.experimental.assert_cardinality(len(stream))).prefetch(tf.data.AUTOTUNE)
