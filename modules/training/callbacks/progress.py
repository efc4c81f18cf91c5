"""What the user sees while the model trains."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import IO

from rich.progress import TextColumn, TimeRemainingColumn

from modules.progress import progress_bar, progress_console
from modules.training.callbacks.callback_list import StepScores

logger = logging.getLogger(__name__)

DECAY = 0.9  # the loss that is shown is that of about the last ten steps


class TrainingProgress:
    """A bar with losses, supervised tokens/s and time left; without a terminal, a plain line now and then.

    Args:
        total_steps: optimizer steps of the whole run.
        line_seconds: time between plain lines.
        stream: where to write; standard error by default.
    """

    def __init__(self, *, total_steps: int, line_seconds: float = 10.0, stream: IO[str] | None = None) -> None:
        self.total_steps = total_steps
        self.line_seconds = line_seconds
        self.console = progress_console(stream)
        self.bar = progress_bar(
            "training",
            TextColumn("{task.fields[losses]} · {task.fields[rate]:,.0f} supervised tokens/s · left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=self.console,
        )
        self.task = self.bar.add_task("training", total=total_steps, losses="loss", rate=0.0)
        self.loss: float | None = None
        self.evaluation_loss: float | None = None
        self.begun: float | None = None
        self.reported = 0.0
        self.tokens = self.steps = 0

    def begin(self, step: int) -> None:
        """Shows that the training starts, or goes on after `step`."""
        if step:
            self.console.print(f"  training goes on from the checkpoint of step {step:,} of {self.total_steps:,}")
        self.bar.update(self.task, completed=step)
        if self.console.is_interactive:
            self.bar.start()

    def read(self, scores: Sequence[StepScores]) -> None:
        """Takes the scores of some steps."""
        for score in scores:
            self.loss = score.loss if self.loss is None else DECAY * self.loss + (1 - DECAY) * score.loss
        now, step = time.monotonic(), scores[-1].step
        if self.begun is None:  # the first step also compiles: no measure of speed
            self.begun = self.reported = now
            return
        self.tokens += sum(score.tokens for score in scores)
        self.steps += len(scores)
        seconds = max(now - self.begun, 1e-9)
        if self.console.is_interactive:
            self.bar.update(self.task, completed=step, losses=self._losses(), rate=self.tokens / seconds)
        if now - self.reported >= self.line_seconds or step == self.total_steps:
            self.reported = now
            self._report(step, seconds)

    def evaluating(self, batch: int, batches: int) -> None:
        """Takes the index of a batch of an evaluation that begins."""
        now = time.monotonic()
        if self.console.is_interactive:
            self.bar.update(self.task, losses=f"evaluating {batch + 1:,}/{batches:,}")
        elif self.begun is not None and now - self.reported >= self.line_seconds:
            self.reported = now
            self.console.print(f"  evaluating batch {batch + 1:,} of {batches:,}", soft_wrap=True)

    def evaluated(self, step: int, loss: float, token_accuracy: float) -> None:
        """Takes the result of an evaluation."""
        self.evaluation_loss = loss
        if self.loss is not None:
            self.bar.update(self.task, losses=self._losses())

    def close(self) -> None:
        """Takes the bar off the terminal; harmless when repeated."""
        if self.console.is_interactive:
            self.bar.stop()

    def _report(self, step: int, seconds: float) -> None:
        left = (self.total_steps - step) * seconds / self.steps
        line = (
            f"  training step {step}/{self.total_steps} · {self._losses()} · "
            f"{self.tokens / seconds:,.0f} supervised tokens/s · {left:.0f} s left"
        )
        logger.info(line.strip())
        if not self.console.is_interactive:
            self.console.print(line, soft_wrap=True)

    def _losses(self) -> str:
        evaluation = "" if self.evaluation_loss is None else f", in evaluation {self.evaluation_loss:.3f}"
        return f"loss {self.loss:.3f}{evaluation}"
