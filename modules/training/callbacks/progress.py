"""Progress on the terminal while the model trains."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from rich.progress import TextColumn, TimeRemainingColumn

from modules.progress import progress_bar, progress_console
from modules.training.callbacks.base import TrainingCallback

logger = logging.getLogger(__name__)

DECAY = 0.9  # the loss that is shown is that of about the last ten steps


class TrainingProgress(TrainingCallback):
    """Shows a bar with losses, supervised tokens/s and time left; without a terminal, a plain line now and then.

    Args:
        total_steps: optimizer steps of the whole run.
        evaluation_batches: of an evaluation.
        line_seconds: time between plain lines.
        stream: where to write; standard error by default.
    """

    async_safe = True

    def __init__(
        self,
        *,
        total_steps: int,
        evaluation_batches: int = 0,
        line_seconds: float = 10.0,
        stream: IO[str] | None = None,
    ) -> None:
        super().__init__()
        self.total_steps = total_steps
        self.evaluation_batches = evaluation_batches
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

    def resume(self, step: int, progress: Any, arrays: Mapping[str, np.ndarray]) -> None:
        self.console.print(f"  training goes on from the checkpoint of step {step:,} of {self.total_steps:,}")
        self.bar.update(self.task, completed=step)

    def on_train_begin(self, logs: Any = None) -> None:
        if self.console.is_interactive:
            self.bar.start()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.loss = logs["loss"] if self.loss is None else DECAY * self.loss + (1 - DECAY) * logs["loss"]
        now, step = time.monotonic(), logs["step"]
        if self.begun is None:  # the first step also compiles: no measure of speed
            self.begun = self.reported = now
            return
        self.tokens += logs["tokens"]
        self.steps += 1
        seconds = max(now - self.begun, 1e-9)
        if self.console.is_interactive:
            self.bar.update(self.task, completed=step, losses=self._losses(), rate=self.tokens / seconds)
        if now - self.reported >= self.line_seconds or step == self.total_steps:
            self.reported = now
            self._report(step, seconds)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        now, batches = time.monotonic(), self.evaluation_batches
        if self.console.is_interactive:
            self.bar.update(self.task, losses=f"evaluating {batch + 1:,}/{batches:,}")
        elif self.begun is not None and now - self.reported >= self.line_seconds:
            self.reported = now
            self.console.print(f"  evaluating batch {batch + 1:,} of {batches:,}", soft_wrap=True)

    def on_test_end(self, logs: Any = None) -> None:
        self.evaluation_loss = logs["loss"]
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
