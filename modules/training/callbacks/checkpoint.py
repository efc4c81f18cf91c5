"""A training run: where it stands, how it goes on from a checkpoint, what it says when it diverges."""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from modules.training.callbacks.callback_list import Action, DivergedError, Loop, Reader, StepScores
from modules.training.callbacks.evaluation import HeldOut
from modules.training.checkpoints import CheckpointFolder
from modules.training.dataset import BatchStream, PackedBatches
from modules.training.memory import memory_errors
from modules.training.model_state import BEST, capture, is_finite, restore

logger = logging.getLogger(__name__)

SHOWN_ROWS = 5  # of a batch, in an error
SHOWN_CHARACTERS = 60  # of each row


@dataclass(frozen=True)
class CheckpointPlan:
    """Where checkpoints go, and every how many optimizer steps there is one."""

    folder: CheckpointFolder
    every_steps: int


@dataclass(frozen=True)
class Followers:
    """Who else follows a run.

    Attributes:
        readers: get the losses as they are read.
        actions: are done between steps.
        evaluated: is told of each evaluation: step, loss, token accuracy.
        evaluating: is told of each batch of an evaluation: its index, and how many there are.
        remember: gives what they need to go on from a checkpoint, as plain JSON.
        begin: is told the step after which the run goes on, and what was remembered then; 0 and None at the start.
        read_every: optimizer steps after which losses are read in any case.
        callbacks: of Keras' kind.
    """

    readers: Sequence[Reader] = ()
    actions: Sequence[Action] = ()
    evaluated: Callable[[int, float, float], None] = lambda *_: None
    evaluating: Callable[[int, int], None] = lambda *_: None
    remember: Callable[[], Any] = lambda: None
    begin: Callable[[int, Any], None] = lambda *_: None
    read_every: int = 10
    callbacks: Sequence[keras.callbacks.Callback] = ()


@dataclass
class EpochMean:
    """Means over the steps of the current epoch."""

    steps_per_epoch: int
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])  # steps, loss, token accuracy

    def __call__(self, scores: Sequence[StepScores]) -> None:
        for score in scores:
            if (score.step - 1) % self.steps_per_epoch == 0:
                self.sums = [0.0, 0.0, 0.0]
            self.sums = [self.sums[0] + 1, self.sums[1] + score.loss, self.sums[2] + score.token_accuracy]

    @property
    def loss(self) -> float:
        return self.sums[1] / self.sums[0]

    @property
    def token_accuracy(self) -> float:
        return self.sums[2] / self.sums[0]


class TrainingRun:
    """A training run and what a checkpoint must remember of it."""

    def __init__(
        self,
        model: keras.Model,
        batches: PackedBatches,
        held_out: HeldOut,
        total_steps: int,
        checkpoints: CheckpointPlan | None,
        followers: Followers,
        describe_row: Callable[[int], str],
    ) -> None:
        self.model = model
        self.batches = batches
        self.held_out = held_out
        self.total_steps = total_steps
        self.checkpoints = checkpoints
        self.followers = followers
        self.describe_row = describe_row
        self.epoch = EpochMean(batches.steps)
        self.step = self.resumed_from = 0
        self.finished = False
        self.saved_step: int | None = None
        self.seconds = 0.0

    def resume(self) -> None:
        """Goes on from the newest checkpoint, or begins."""
        found = self.checkpoints.folder.newest() if self.checkpoints else None
        if self.checkpoints is None or found is None:
            self.followers.begin(0, None)
            return
        self.checkpoints.folder.claim()
        restore(self.model, found.arrays)
        best = {name: array for name, array in found.arrays.items() if name.startswith(f"{BEST}/")}
        self.held_out.resume(found.progress["evaluation"], best)
        self.step = self.resumed_from = self.saved_step = found.step
        self.epoch.sums = found.progress["epoch"]
        self.finished = found.progress["finished"] or self.held_out.stopped
        self.seconds = found.progress["seconds"]
        self.followers.begin(self.step, found.progress["followers"])
        logger.info("Training goes on from the checkpoint of step %d of %d.", self.step, self.total_steps)

    def train(self) -> None:
        """Trains to the end, which may be now."""
        if self.finished:
            return
        actions = [Action(self.held_out.due, self.held_out.act), *self.followers.actions]
        if self.checkpoints and self.checkpoints.every_steps:
            actions.append(Action(self._checkpoint_due, self._save))
        loop = Loop(
            self.model,
            first_step=self.step,
            total_steps=self.total_steps,
            accumulation_steps=self.batches.accumulation_steps,
            read_every=self.followers.read_every,
            readers=[self._advance, *self.followers.readers],
            actions=actions,
            diverged=self._diverged,
            callbacks=self.followers.callbacks,
        )
        span = [step * self.batches.accumulation_steps for step in (self.step, self.total_steps)]
        self._clock = time.monotonic() - self.seconds  # as if it had not been interrupted
        with memory_errors(self.batches):
            stream = BatchStream(self.batches, start=span[0], stop=span[1])
            # The stream has its order; Keras would draw another one, different on each backend and after a resumption.
            self.model.fit(_feed(stream), steps_per_epoch=len(stream), shuffle=False, verbose=0, callbacks=loop)
        self.seconds = time.monotonic() - self._clock
        self.finished = True
        if self.checkpoints and self.checkpoints.every_steps:
            self._save(self.step)

    def _advance(self, scores: Sequence[StepScores]) -> None:
        self.epoch(scores)
        self.step = scores[-1].step
        self.seconds = time.monotonic() - self._clock

    def _checkpoint_due(self, step: int) -> bool:
        assert self.checkpoints is not None
        return step % self.checkpoints.every_steps == 0 and step < self.total_steps

    def _save(self, step: int) -> bool:
        """Writes a checkpoint. A full disk costs the checkpoint, not the training."""
        assert self.checkpoints is not None
        arrays = capture(self.model)
        if not is_finite(arrays):
            raise self._diverged(StepScores(step, float("nan"), 0.0, 0), of="a weight")
        progress = {
            "evaluation": self.held_out.progress(),
            "epoch": self.epoch.sums,
            "finished": self.finished,
            "seconds": self.seconds,
            "followers": self.followers.remember(),
        }
        try:
            self.checkpoints.folder.save(step, arrays | self.held_out.best_weights, progress)
            self.saved_step = step
        except OSError as error:
            logger.warning("The checkpoint of step %d could not be written; training goes on: %s", step, error)
        return False

    def _diverged(self, score: StepScores, *, of: str = "the loss") -> DivergedError:
        epoch, step = divmod(score.step - 1, self.batches.steps)
        first = step * self.batches.accumulation_steps
        together = range(first, first + self.batches.accumulation_steps)
        examples = sorted(example for index in together for example in self.batches.examples_of(epoch, index))
        rows = [int(self.batches.examples.source_rows[example]) for example in examples]
        shown = "; ".join(f"{row}: {shorten(self.describe_row(row))!r}" for row in rows[:SHOWN_ROWS])
        kept = f"The checkpoint of step {self.saved_step} is kept. " if self.saved_step else ""
        return DivergedError(
            f"Training needs a finite loss. Received: {of} is {score.loss} at optimizer step {score.step} "
            f"(epoch {epoch + 1}), of {len(rows)} rows: {shown}{'; …' if len(rows) > SHOWN_ROWS else ''}. {kept}"
            "Lower training.learning_rate or training.clip_norm, or use float32."
        )


def shorten(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 1] + "…"


def _feed(stream: BatchStream) -> Any:
    """The stream in the form that Keras takes on this backend."""
    if keras.backend.backend() != "tensorflow":
        return stream
    # Keras would tell the shapes of all batches from those of the first two.
    tf = importlib.import_module("tensorflow")
    shapes = keras.tree.map_structure(lambda array: tf.TensorSpec([None] * array.ndim, array.dtype), stream[0])
    batches = tf.data.Dataset.from_generator(
        lambda: map(stream.__getitem__, range(len(stream))), output_signature=shapes
    )
    return batches.apply(tf.data.experimental.assert_cardinality(len(stream))).prefetch(tf.data.AUTOTUNE)
