"""A training run's curves and samples, for TensorBoard. Needs no TensorFlow.

Two folders, so that TensorBoard draws both losses in one chart. Scalars, by optimizer step:

- ``train``, every ``log_every_steps``, over the steps since: ``loss`` (nats per supervised token), ``token_accuracy``,
  ``training/learning_rate``, ``training/tokens_per_second`` (of the rows, padding excluded) and
  ``training/supervised_tokens_per_second``;
- ``eval``, at each evaluation: ``loss``, ``token_accuracy``.

TensorBoard shows scalars by name: with these names it opens on the loss. Figures that do not change are no curves, so
they are texts: ``data`` in both, what the split holds. ``samples`` in ``train`` are prompts and responses as the
training goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from modules.training.callbacks.callback_list import StepScores

SPLITS = ("train", "eval")


class RunLog:
    """Writes TensorBoard's event files.

    Args:
        folder: where; made if needed.
        learning_rate: of an optimizer step, from 0.
        tokens_per_supervised: how many tokens the rows have for each supervised one.
        every_steps: optimizer steps between two entries of the training's curves.
    """

    def __init__(
        self,
        folder: str,
        *,
        learning_rate: Callable[[int], float],
        tokens_per_supervised: float,
        every_steps: int,
    ) -> None:
        self.writers = {split: EventFileWriter(str(Path(folder, split))) for split in SPLITS}
        self.learning_rate = learning_rate
        self.tokens_per_supervised = tokens_per_supervised
        self.every_steps = every_steps
        self.scalars: list[tuple[str, str, int, float]] = []
        self._since: list[StepScores] = []
        self._logged_at: float | None = None

    def read(self, scores: Sequence[StepScores]) -> None:
        """Takes the scores of some steps."""
        for score in scores:
            self._since.append(score)
            if score.step % self.every_steps == 0:
                self._log_training()

    def evaluated(self, step: int, loss: float, token_accuracy: float) -> None:
        self._scalars("eval", step, {"loss": loss, "token_accuracy": token_accuracy})
        self.writers["eval"].flush()

    def data(self, split: str, figures: Mapping[str, float]) -> None:
        """What a split holds, as a table."""
        rows = "".join(f"| {name} | {figure:,.6g} |\n" for name, figure in figures.items())
        self._write(split, 0, text_pb("data", f"| figure | value |\n| --- | ---: |\n{rows}"))

    def samples(self, step: int, samples: Sequence[tuple[str, str]]) -> None:
        """Prompts and responses, shown as they are."""
        blocks = [f"```text\n{prompt}{response}\n```" for prompt, response in samples]
        self._write("train", step, text_pb("samples", "\n\n".join(blocks)))
        self.writers["train"].flush()

    def replay(self, scalars: Sequence[Sequence[Any]]) -> None:
        """Writes what a run that this one goes on from had written."""
        for split, tag, step, value in scalars:
            self._scalars(split, step, {tag: value})

    def close(self) -> None:
        for writer in self.writers.values():
            writer.close()

    def _log_training(self) -> None:
        now, last = time.monotonic(), self._since[-1]
        tokens = sum(score.tokens for score in self._since)
        values = {
            "loss": float(np.mean([score.loss for score in self._since])),
            "token_accuracy": sum(score.token_accuracy * score.tokens for score in self._since) / tokens,
            "training/learning_rate": self.learning_rate(last.step - 1),
        }
        if self._logged_at is not None and now > self._logged_at:
            rate = tokens / (now - self._logged_at)
            values["training/supervised_tokens_per_second"] = rate
            values["training/tokens_per_second"] = rate * self.tokens_per_supervised
        self._scalars("train", last.step, values)
        self._since, self._logged_at = [], now

    def _scalars(self, split: str, step: int, values: Mapping[str, float]) -> None:
        for tag, value in values.items():
            self.scalars.append((split, tag, step, float(value)))
            self._write(split, step, scalar_pb(tag, value))

    def _write(self, split: str, step: int, summary: Summary) -> None:
        self.writers[split].add_event(Event(wall_time=time.time(), step=step, summary=summary))
