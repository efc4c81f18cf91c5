"""Evaluation on rows that are not trained on: after training and as it goes on, and what follows from it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from modules.training.dataset import PackedBatches
from modules.training.model_state import capture_weights, restore_weights

if TYPE_CHECKING:
    from modules.settings.training import KeepWeights

logger = logging.getLogger(__name__)

LOSS = "val_loss"  # what Keras calls it
# What Keras' EarlyStopping has seen so far.
STOPPING_STATE = ("best", "best_epoch", "wait", "stopped_epoch")


@dataclass(frozen=True)
class EvaluationPlan:
    """When to evaluate, and what follows.

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


def evaluate(
    model: keras.Model, batches: PackedBatches, *, begin: Callable[[int, int], None] = lambda *_: None
) -> dict[str, float]:
    """``loss`` (nats) and ``token_accuracy`` (0 to 1), both means over all supervised tokens; dropout is off.

    `begin` is told of each batch: its index, and how many there are.
    """
    sums, tokens = np.zeros(2), 0.0
    for index in range(len(batches)):
        begin(index, len(batches))
        inputs, _, weights = batches.batch(0, index)
        used = weights > 0
        scores = model.predict_on_batch(inputs)[: len(weights)]  # [N, 2], once per device that works apart
        sums += scores[used].sum(axis=0, dtype=np.float64)
        tokens += int(used.sum())
    loss, correct = sums.tolist()
    return {"loss": loss / tokens, "token_accuracy": correct / tokens}


class HeldOut:
    """Evaluates a model as it is trained, remembers the best, and ends the training when it no longer gets better.

    Keras' EarlyStopping judges: what it calls an epoch is an evaluation here, named by its optimizer step.

    Args:
        model: in training.
        batches: of the evaluation split.
        plan: when to evaluate.
        total_steps: optimizer steps of the run; its last one is evaluated too if anything depends on it.
        report: is told of each evaluation: step, loss (nats) and token accuracy.
        begin: is told of each batch of an evaluation: its index, and how many there are.
    """

    def __init__(
        self,
        model: keras.Model,
        batches: PackedBatches,
        plan: EvaluationPlan,
        *,
        total_steps: int,
        report: Callable[[int, float, float], None] = lambda *_: None,
        begin: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        self.model = model
        self.batches = batches
        self.plan = plan
        self.total_steps = total_steps
        self.report = report
        self.begin = begin
        self.results: dict[int, dict[str, float]] = {}
        self.best_step: int | None = None
        self.best_weights: dict[str, np.ndarray] = {}
        self.stopping = early_stopping(model, plan) if plan.patience else None

    def due(self, step: int) -> bool:
        decides = bool(self.plan.patience) or self.plan.keep == "best"
        return (decides and step == self.total_steps) or any(step % every == 0 for every in self.plan.every_steps)

    def act(self, step: int) -> bool:
        """Evaluates; true once patience has run out."""
        loss = self.evaluate(step)["loss"]
        best = self.results[self.best_step]["loss"] if self.best_step is not None else float("inf")
        if loss < best:
            self.best_step = step
            if self.plan.keep == "best":
                self.best_weights = capture_weights(self.model)
        if self.stopping is None:
            return False
        self.stopping.on_epoch_end(step, {LOSS: loss})
        if self.stopped:
            logger.info("Training ends at step %d of %d: %s.", step, self.total_steps, self.stop_reason)
        return self.stopped

    @property
    def stopped(self) -> bool:
        """Whether patience has run out."""
        return self.stopping is not None and self.stopping.stopped_epoch > 0

    @property
    def stop_reason(self) -> str | None:
        """Why the training ended before its last step, to follow "because"; None if it did not."""
        if self.stopping is None or not 0 < self.stopping.stopped_epoch < self.total_steps:
            return None
        margin = f"by more than {self.plan.min_delta:g} " if self.plan.min_delta else ""
        return (
            f"the evaluation loss has not fallen {margin}below {self.stopping.best:.4f}, that of step "
            f"{self.stopping.best_epoch:,}, in {self.stopping.wait} evaluations"
        )

    def evaluate(self, step: int) -> dict[str, float]:
        """The result at a step, from now or from before."""
        if step not in self.results:
            self.results[step] = evaluate(self.model, self.batches, begin=self.begin)
            loss, accuracy = self.results[step].values()
            logger.info("Evaluation at step %d: loss %.4f, token accuracy %.4f", step, loss, accuracy)
            self.report(step, loss, accuracy)
        return self.results[step]

    def finish(self, step: int) -> int:
        """Puts the weights to keep into the model; returns the step that they come from."""
        if self.plan.keep == "last" or self.best_step is None or self.best_step == step:
            return step
        restore_weights(self.model, self.best_weights)
        return self.best_step

    def progress(self) -> dict[str, Any]:
        """What a checkpoint must remember, beside :attr:`best_weights`."""
        results = [[step, result["loss"], result["token_accuracy"]] for step, result in self.results.items()]
        stopping = self.stopping and {name: getattr(self.stopping, name) for name in STOPPING_STATE}
        return {"results": results, "best_step": self.best_step, "stopping": stopping}

    def resume(self, progress: dict[str, Any], best_weights: dict[str, np.ndarray]) -> None:
        """Goes on from a checkpoint."""
        self.results = {
            step: {"loss": loss, "token_accuracy": accuracy} for step, loss, accuracy in progress["results"]
        }
        self.best_step, self.best_weights = progress["best_step"], best_weights
        for name, value in (progress["stopping"] or {}).items():
            setattr(self.stopping, name, value)


def early_stopping(model: keras.Model, plan: EvaluationPlan) -> keras.callbacks.EarlyStopping:
    """Keras' callback, to be told of each evaluation; weights are kept by :class:`HeldOut`."""
    stopping = keras.callbacks.EarlyStopping(LOSS, mode="min", min_delta=plan.min_delta, patience=plan.patience)
    stopping.set_model(model)
    stopping.on_train_begin()  # not with fit's, which would forget what a checkpoint remembers
    return stopping
