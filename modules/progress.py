"""What the user sees while the model trains."""

from __future__ import annotations

import logging
import sys
import time
from typing import IO, Any

import keras
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

logger = logging.getLogger(__name__)


class TrainingProgress(keras.callbacks.Callback):
    """A bar with loss, supervised tokens/s and time left; without a terminal, a plain line now and then.

    Args:
        total_steps: optimizer steps of the whole run.
        supervised_tokens_per_step: mean over an epoch.
        line_seconds: time between plain lines.
        stream: where to write; standard error by default.
    """

    def __init__(
        self,
        *,
        total_steps: int,
        supervised_tokens_per_step: float,
        line_seconds: float = 10.0,
        stream: IO[str] | None = None,
    ) -> None:
        super().__init__()
        self.total_steps = total_steps
        self.tokens_per_step = supervised_tokens_per_step
        self.line_seconds = line_seconds
        console = Console(file=stream or sys.stderr, highlight=False)
        self.console = console
        self.bar = Progress(
            TextColumn("  training"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.3f} · {task.fields[rate]:,.0f} supervised tokens/s"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=console,
            transient=True,
        )
        self.task = self.bar.add_task("training", total=total_steps, loss=float("nan"), rate=0.0)
        self.step = 0
        self.begun = 0.0
        self.reported = 0.0
        self.loss = RecentMean()

    def on_train_begin(self, logs: Any = None) -> None:
        if self.console.is_terminal:
            self.bar.start()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.loss.begin_epoch()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.step += 1
        loss = self.loss.update((logs or {})["loss"])
        if self.step == 1:  # the first step also compiles: no measure of speed
            self.begun = self.reported = time.monotonic()
            return
        now = time.monotonic()
        rate = (self.step - 1) * self.tokens_per_step / max(now - self.begun, 1e-9)
        if self.console.is_terminal:
            self.bar.update(self.task, completed=self.step, loss=loss, rate=rate)
        if now - self.reported >= self.line_seconds or self.step == self.total_steps:
            self.reported = now
            self._report(loss, rate)

    def on_train_end(self, logs: Any = None) -> None:
        self.close()

    def close(self) -> None:
        """Takes the bar off the terminal; harmless when repeated."""
        if self.console.is_terminal:
            self.bar.stop()

    def _report(self, loss: float, rate: float) -> None:
        left = (self.total_steps - self.step) * self.tokens_per_step / max(rate, 1e-9)
        line = (
            f"  training step {self.step}/{self.total_steps} · loss {loss:.3f} · "
            f"{rate:,.0f} supervised tokens/s · {left:.0f} s left"
        )
        logger.info(line.strip())
        if not self.console.is_terminal:
            self.console.print(line, soft_wrap=True)


class RecentMean:
    """The loss of about the last ten steps, from the mean over the epoch that Keras reports."""

    DECAY = 0.9

    def __init__(self) -> None:
        self.value: float | None = None
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Keras starts its mean anew."""
        self.steps, self.total = 0, 0.0

    def update(self, epoch_mean: Any) -> float:
        """Takes the epoch's mean after one more step; returns the recent mean."""
        self.steps += 1
        total = float(epoch_mean) * self.steps
        step_loss, self.total = total - self.total, total
        self.value = step_loss if self.value is None else self.DECAY * self.value + (1 - self.DECAY) * step_loss
        return self.value
