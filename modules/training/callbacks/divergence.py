"""Ends a training whose loss or weights are no numbers any more."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from modules.training.callbacks.base import TrainingCallback
from modules.training.checkpoints import CheckpointFolder
from modules.training.dataset import PackedBatches

SHOWN_ROWS = 5  # of a batch, in an error
SHOWN_CHARACTERS = 60  # of each row


class DivergedError(RuntimeError):
    """The loss, or a weight, became NaN or infinite."""

    user_message = True


@dataclass(frozen=True)
class StepRows:
    """Tells in errors which rows an optimizer step was about.

    Attributes:
        batches: of the training split.
        describe_row: says what is in one of the rows that the training split was made of.
        checkpoints: of the training; None for none.
    """

    batches: PackedBatches
    describe_row: Callable[[int], str] = str
    checkpoints: CheckpointFolder | None = None

    def diverged(self, step: int, value: float, *, of: str = "the loss") -> DivergedError:
        """Returns the error for a step, from 1, after which a value is not finite."""
        rows = self._rows(step)
        shown = "; ".join(f"{row}: {shorten(self.describe_row(row))!r}" for row in rows[:SHOWN_ROWS])
        saved = self.checkpoints.newest_step() if self.checkpoints else None
        kept = f"The checkpoint of step {saved} is kept. " if saved else ""
        return DivergedError(
            f"Training needs a finite loss. Received: {of} is {value} at optimizer step {step} "
            f"(epoch {(step - 1) // self.batches.steps + 1}), of {len(rows)} rows: {shown}"
            f"{'; …' if len(rows) > SHOWN_ROWS else ''}. {kept}"
            "Lower training.learning_rate or training.clip_norm, or use float32."
        )

    def _rows(self, step: int) -> list[int]:
        """Returns the rows that the batches of a step hold."""
        epoch, step_of_epoch = divmod(step - 1, self.batches.steps)
        first = step_of_epoch * self.batches.accumulation_steps
        together = range(first, first + self.batches.accumulation_steps)
        examples = sorted(example for index in together for example in self.batches.examples_of(epoch, index))
        return [int(self.batches.examples.source_rows[example]) for example in examples]


class DivergenceCheck(TrainingCallback):
    """Ends the training at the first step whose loss is not finite.

    Args:
        rows: tells what the step was about.

    Raises:
        DivergedError: From a step's end.
    """

    async_safe = True

    def __init__(self, rows: StepRows) -> None:
        super().__init__()
        self.rows = rows

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if not math.isfinite(logs["loss"]):
            raise self.rows.diverged(logs["step"], logs["loss"])


def shorten(text: str) -> str:
    """Returns the beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 1] + "…"
