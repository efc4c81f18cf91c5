"""A training's curves and samples, for TensorBoard. Needs no TensorFlow.

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
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from modules.training.callbacks.base import StepLogs, TrainingCallback

SPLITS = ("train", "eval")


class TensorBoardLog(TrainingCallback):
    """Writes TensorBoard's event files.

    Args:
        folder: where; made if needed.
        learning_rate: of an optimizer step, from 0.
        tokens_per_supervised: how many tokens the rows have for each supervised one.
        every_steps: optimizer steps between two entries of the training's curves.
    """

    async_safe = True

    def __init__(
        self,
        folder: str,
        *,
        learning_rate: Callable[[int], float],
        tokens_per_supervised: float,
        every_steps: int,
    ) -> None:
        super().__init__()
        self.writers = {split: EventFileWriter(str(Path(folder, split))) for split in SPLITS}
        self.learning_rate = learning_rate
        self.tokens_per_supervised = tokens_per_supervised
        self.every_steps = every_steps
        self.scalars: list[tuple[str, str, int, float]] = []
        self._since: list[StepLogs] = []
        self._logged_at: float | None = None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._since.append(logs)
        if logs["step"] % self.every_steps == 0:
            self._write_training()

    def on_test_end(self, logs: Any = None) -> None:
        self._write_scalars("eval", logs["step"], {name: logs[name] for name in ("loss", "token_accuracy")})
        self.writers["eval"].flush()

    def progress(self) -> list[tuple[str, str, int, float]]:
        return self.scalars

    def resume(self, step: int, progress: Iterable[Sequence[Any]], arrays: Mapping[str, np.ndarray]) -> None:
        for split, tag, at, value in progress:
            self._write_scalars(split, at, {tag: value})

    def write_data(self, split: str, figures: Mapping[str, float]) -> None:
        """Writes what a split holds, as a table."""
        rows = "".join(f"| {name} | {figure:,.6g} |\n" for name, figure in figures.items())
        self._write(split, 0, text_pb("data", f"| figure | value |\n| --- | ---: |\n{rows}"))

    def write_samples(self, step: int, samples: Sequence[tuple[str, str]]) -> None:
        """Writes prompts and responses as they are."""
        blocks = [f"```text\n{prompt}{response}\n```" for prompt, response in samples]
        self._write("train", step, text_pb("samples", "\n\n".join(blocks)))
        self.writers["train"].flush()

    def close(self) -> None:
        """Closes the files."""
        for writer in self.writers.values():
            writer.close()

    def _write_training(self) -> None:
        now, step = time.monotonic(), self._since[-1]["step"]
        tokens = sum(logs["tokens"] for logs in self._since)
        values = {
            "loss": float(np.mean([logs["loss"] for logs in self._since])),
            "token_accuracy": sum(logs["token_accuracy"] * logs["tokens"] for logs in self._since) / tokens,
            "training/learning_rate": self.learning_rate(step - 1),
        }
        if self._logged_at is not None and now > self._logged_at:
            rate = tokens / (now - self._logged_at)
            values["training/supervised_tokens_per_second"] = rate
            values["training/tokens_per_second"] = rate * self.tokens_per_supervised
        self._write_scalars("train", step, values)
        self._since, self._logged_at = [], now

    def _write_scalars(self, split: str, step: int, values: Mapping[str, float]) -> None:
        for tag, value in values.items():
            self.scalars.append((split, tag, step, float(value)))
            self._write(split, step, scalar_pb(tag, value))

    def _write(self, split: str, step: int, summary: Summary) -> None:
        self.writers[split].add_event(Event(wall_time=time.time(), step=step, summary=summary))
