"""A training of a tiny model, small enough to be repeated by many tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tokenizers import Tokenizer

from modules.network.model import build_backbone, training_model
from modules.training import fit as training
from modules.training.callbacks.callback_list import Action
from modules.training.callbacks.checkpoint import CheckpointPlan, Followers
from modules.training.callbacks.evaluation import EvaluationPlan
from modules.training.checkpoints import CheckpointFolder
from modules.training.dataset import PackedBatches, tokenize_examples

ROWS = [(f"say {word}\n", word) for word in ("pear", "apple", "Sort", "world", "words", "the")]
STEPS_PER_EPOCH = 3


class KilledError(Exception):
    """Stands for the end of the process."""


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
        self.backbone = build_backbone(
            vocabulary_size=tokenizer.get_vocab_size(),
            num_layers=1,
            num_heads=2,
            hidden_dim=hidden_dim,
            intermediate_dim=32,
            dropout=dropout,
            max_sequence_length=32,
            dtype=precision,
        )
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
        self.scores: dict[int, float] = {}

    def run(
        self,
        total_steps: int = 8,
        *,
        killed_after: int | None = None,
        evaluation: EvaluationPlan | None = None,
        actions: Sequence[Action] = (),
        describe_row: Any = str,
    ) -> training.TrainingResult:
        schedule = training.make_schedule(
            learning_rate=self.learning_rate, total_steps=total_steps, warmup_fraction=0.25
        )

        def kill(step: int) -> bool:
            raise KilledError

        return training.fit(
            self.model,
            self.batches,
            self.eval_batches,
            optimizer=training.make_optimizer(schedule, **self.settings),
            total_steps=total_steps,
            evaluation=evaluation,
            checkpoints=CheckpointPlan(self.folder, every_steps=2) if self.folder else None,
            followers=Followers(
                readers=[lambda scores: self.scores.update({score.step: score.loss for score in scores})],
                actions=[Action(lambda step: step == killed_after, kill), *actions],
            ),
            describe_row=describe_row,
        )

    def weights(self) -> list[np.ndarray]:
        return self.backbone.get_weights()
