"""Evaluation on rows that are not trained on: after training and as it goes on, and what follows from it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from modules.training.callbacks.base import StepLogs, TrainingCallback
from modules.training.dataset import PackedBatches
from modules.training.model_state import BEST, capture_weights, restore_weights

if TYPE_CHECKING:
    from modules.settings.training import KeepWeights, TrainingSettings

logger = logging.getLogger(__name__)

LOSS = "val_loss"  # what Keras calls it
# What Keras' EarlyStopping has seen so far.
STOPPING_STATE = ("best", "best_epoch", "wait", "stopped_epoch")


@dataclass(frozen=True)
class EvaluationPlan:
    """The steps at which to evaluate, and what follows from the result.

    Attributes:
        every_steps: after each multiple of any of these numbers of optimizer steps.
        patience: evaluations in a row without a better loss that end the training; 0 never does.
        min_delta: nats by which a loss must be lower to count as better for `patience`.
        keep: the weights that the training ends with: the ``last``, or those with the ``best`` evaluation loss.
    """

    every_steps: tuple[int, ...] = ()
    patience: int = 0
    min_delta: float = 0.0
    keep: KeepWeights = "last"

    @property
    def decides(self) -> bool:
        """Returns whether anything depends on the evaluations."""
        return bool(self.patience) or self.keep == "best"


def evaluation_plan(training: TrainingSettings, *, steps_per_epoch: int) -> EvaluationPlan:
    """Returns when to evaluate with these settings, and what follows."""
    every = [training.evaluate_every_steps, steps_per_epoch if training.evaluate_every_epoch else 0]
    return EvaluationPlan(
        every_steps=tuple(steps for steps in every if steps),
        patience=training.early_stopping_patience,
        min_delta=training.early_stopping_min_delta,
        keep=training.keep_weights,
    )


@dataclass(frozen=True)
class Scores:
    """Means over all supervised tokens of a split.

    Attributes:
        loss: in nats.
        token_accuracy: 0 to 1.
        tokens: how many there were.
    """

    loss: float
    token_accuracy: float
    tokens: int


def evaluate(model: keras.Model, batches: PackedBatches, *, begin: Callable[[int], None] = lambda _: None) -> Scores:
    """Returns how a model fares; dropout is off.

    Args:
        model: in training.
        batches: of the evaluation split.
        begin: is told of each batch, by its index.
    """
    sums, tokens = np.zeros(2), 0
    for index in range(len(batches)):
        begin(index)
        inputs, _, weights = batches.batch(0, index)
        used = weights > 0
        scores = model.predict_on_batch(inputs)[: len(weights)]  # [N, 2], once per device that works apart
        sums += scores[used].sum(axis=0, dtype=np.float64)
        tokens += int(used.sum())
    loss, correct = sums.tolist()
    return Scores(loss / tokens, correct / tokens, tokens)


class Evaluation(TrainingCallback):
    """Evaluates a model as it is trained, remembers the best, and ends the training when it no longer gets better.

    Keras' EarlyStopping judges: what it calls an epoch is an evaluation here, named by its optimizer step.

    Args:
        batches: of the evaluation split.
        plan: when to evaluate.
        total_steps: optimizer steps of the run; its last one is evaluated too if anything depends on it.
    """

    def __init__(self, batches: PackedBatches, plan: EvaluationPlan, *, total_steps: int) -> None:
        super().__init__()
        self.batches = batches
        self.plan = plan
        self.total_steps = total_steps
        self.results: dict[int, Scores] = {}
        self.best_step: int | None = None
        self.best_weights: dict[str, np.ndarray] = {}
        self.stopping = keras.callbacks.EarlyStopping(
            LOSS, mode="min", min_delta=plan.min_delta, patience=plan.patience
        )
        self.stopping.on_train_begin()  # not with fit's, which would forget what a checkpoint remembers

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        self.stopping.set_model(model)

    def is_due(self, step: int) -> bool:
        at_the_end = self.plan.decides and step == self.total_steps
        return at_the_end or any(step % every == 0 for every in self.plan.every_steps)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = batch + 1
        loss = self.evaluate(step).loss
        best = self.results[self.best_step].loss if self.best_step is not None else float("inf")
        if loss < best:
            self.best_step = step
            if self.plan.keep == "best":
                self.best_weights = capture_weights(self.model)
        if self.plan.patience:
            self.stopping.on_epoch_end(step, {LOSS: loss})
        if self.has_stopped:
            logger.info("Training ends at step %d of %d: %s.", step, self.total_steps, self.stop_reason)

    @property
    def has_stopped(self) -> bool:
        """Returns whether patience has run out."""
        return self.stopping.stopped_epoch > 0

    @property
    def stop_reason(self) -> str | None:
        """Returns why the training ended before its last step, to follow "because"; None if it did not."""
        if not 0 < self.stopping.stopped_epoch < self.total_steps:
            return None
        margin = f"by more than {self.plan.min_delta:g} " if self.plan.min_delta else ""
        return (
            f"the evaluation loss has not fallen {margin}below {self.stopping.best:.4f}, that of step "
            f"{self.stopping.best_epoch:,}, in {self.stopping.wait} evaluations"
        )

    def evaluate(self, step: int) -> Scores:
        """Returns the result at a step, from now or from before."""
        if step not in self.results:
            self.callbacks.on_test_begin()
            scores = evaluate(self.model, self.batches, begin=self.callbacks.on_test_batch_begin)
            self.results[step] = scores
            logger.info(
                "Evaluation at step %d: loss %.4f, token accuracy %.4f", step, scores.loss, scores.token_accuracy
            )
            self.callbacks.on_test_end(
                StepLogs(step=step, loss=scores.loss, token_accuracy=scores.token_accuracy, tokens=scores.tokens)
            )
        return self.results[step]

    def keep_weights(self, last_step: int) -> int:
        """Puts the weights to keep into the model; returns the step that they come from."""
        if self.plan.keep == "last" or self.best_step is None or self.best_step == last_step:
            return last_step
        restore_weights(self.model, self.best_weights)
        return self.best_step

    def progress(self) -> dict[str, Any]:
        results = [[step, each.loss, each.token_accuracy, each.tokens] for step, each in self.results.items()]
        stopping = {name: getattr(self.stopping, name) for name in STOPPING_STATE} if self.plan.patience else {}
        return {"results": results, "best_step": self.best_step, "stopping": stopping}

    def arrays(self) -> Mapping[str, np.ndarray]:
        return self.best_weights

    def resume(self, step: int, progress: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        self.results = {at: Scores(loss, accuracy, tokens) for at, loss, accuracy, tokens in progress["results"]}
        self.best_step = progress["best_step"]
        self.best_weights = {name: array for name, array in arrays.items() if name.startswith(f"{BEST}/")}
        for name, value in progress["stopping"].items():
            setattr(self.stopping, name, value)
