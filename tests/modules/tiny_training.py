"""A training of a tiny model, small enough to be repeated by many tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras_hub.models import GPT2Backbone
from tokenizers import Tokenizer

from modules.models.gpt2.network import build_backbone
from modules.models.training_model import training_model
from modules.training.callbacks.base import TrainingCallback
from modules.training.callbacks.evaluation import EvaluationPlan
from modules.training.checkpoints import CheckpointFolder
from modules.training.dataset import PackedBatches, tokenize_examples
from modules.training.fit import CheckpointPlan, TrainingResult, fit
from modules.training.optimizer import make_optimizer, make_schedule

ROWS = [(f"say {word}\n", word) for word in ("pear", "apple", "Sort", "world", "words", "the")]
STEPS_PER_EPOCH = 3


class KilledError(Exception):
    """Stands for the end of the process."""


class At(TrainingCallback):
    """Acts after one step, before the next one begins."""

    def __init__(self, step: int | None, act: Callable[[], None]) -> None:
        super().__init__()
        self.step = step
        self.act = act

    def is_due(self, step: int) -> bool:
        return step == self.step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.act()


class Losses(TrainingCallback):
    """Notes the losses, when they are read."""

    async_safe = True

    def __init__(self) -> None:
        super().__init__()
        self.by_step: dict[int, float] = {}

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.by_step[logs["step"]] = logs["loss"]


def one_layer_backbone(
    tokenizer: Tokenizer, *, hidden_dim: int = 16, dropout: float = 0.0, dtype: str = "float32"
) -> GPT2Backbone:
    """Returns the smallest model that learns `ROWS`, with GPT-2's own initial weights."""
    return build_backbone(
        vocabulary_size=tokenizer.get_vocab_size(),
        num_layers=1,
        num_heads=2,
        hidden_dim=hidden_dim,
        intermediate_dim=32,
        dropout=dropout,
        max_sequence_length=32,
        dtype=dtype,
    )


def make_batches(tokenizer: Tokenizer, *, shuffle: bool = True, **options: Any) -> PackedBatches:
    examples = tokenize_examples([p for p, _ in ROWS], [r for _, r in ROWS], tokenizer, sequence_length=32)
    settings = {"batch_size": 2, "packing": "none", "seed": 5} | options
    return PackedBatches(examples, sequence_length=32, shuffle=shuffle, **settings)


class Fit:
    """One training.

    Args:
        tokenizer: of the model.
        root: folder for checkpoints; None for none.
        dropout: of the model.
        hidden_dim: of the model.
        precision: of the model and its optimizer.
        accumulation_steps: batches per optimizer step.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        root: Path | None = None,
        *,
        dropout: float = 0.0,
        hidden_dim: int = 16,
        precision: str = "float32",
        accumulation_steps: int = 1,
        batch_size: int = 2,
        learning_rate: float = 1e-2,
    ) -> None:
        keras.utils.set_random_seed(3)
        self.backbone = one_layer_backbone(tokenizer, hidden_dim=hidden_dim, dropout=dropout, dtype=precision)
        self.batches = make_batches(tokenizer, batch_size=batch_size, accumulation_steps=accumulation_steps)
        self.eval_batches = make_batches(tokenizer, shuffle=False)
        self.model = training_model(self.backbone, sequence_length=32)
        self.settings = {
            "weight_decay": 0.01,
            "clip_norm": 1.0,
            "accumulation_steps": accumulation_steps,
            "precision": precision,
        }
        self.learning_rate = learning_rate
        self.folder = CheckpointFolder(root, fingerprint="f" * 64, keep=2) if root else None
        self.losses = Losses()

    @property
    def scores(self) -> dict[int, float]:
        """The loss of each step that was trained here."""
        return self.losses.by_step

    def run(
        self,
        total_steps: int = 8,
        *,
        killed_after: int | None = None,
        evaluation: EvaluationPlan | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        describe_row: Any = str,
    ) -> TrainingResult:
        schedule = make_schedule(learning_rate=self.learning_rate, total_steps=total_steps, warmup_fraction=0.25)

        def kill() -> None:
            raise KilledError

        return fit(
            self.model,
            self.batches,
            self.eval_batches,
            optimizer=make_optimizer(schedule, **self.settings),
            total_steps=total_steps,
            evaluation=evaluation,
            checkpoints=CheckpointPlan(self.folder, every_steps=2) if self.folder else None,
            callbacks=[self.losses, At(killed_after, kill), *callbacks],
            describe_row=describe_row,
        )

    def weights(self) -> list[np.ndarray]:
        return self.backbone.get_weights()
