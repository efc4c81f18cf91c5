"""This project's trainer, run by a job file: `python -m benchmarks.trainers.own JOB`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from modules.settings.generation import GenerationSettings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from benchmarks.trainers.full_logits import full_logits_model
from benchmarks.trainers.job import Job, StepClock, answer, read_job, read_pairs
from modules.exports import TrainedModel
from modules.exports.transformers import TRANSFORMERS
from modules.models.gpt2.initial_weights import draw_weights
from modules.models.gpt2.network import build_backbone
from modules.models.gpt2.tokenizer import load_tokenizer
from modules.models.training_model import training_model
from modules.training.callbacks.evaluation import evaluate
from modules.training.dataset import Batch, BatchStream, PackedBatches, tokenize_examples
from modules.training.optimizer import make_optimizer

GREEDY = GenerationSettings(max_new_tokens=1)
DTYPES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def main(arguments: Sequence[str]) -> int:
    """Trains, and answers with what the measured steps took."""
    job = read_job(arguments)
    keras.utils.set_random_seed(job.seed)
    batches, model = make_batches(job, job.rows), make_model(job)
    stream: Any = BatchStream(batches, start=0, stop=job.steps)
    counts = [count_tokens(stream[index]) for index in range(len(stream))]
    clock = StepClock(job, counts)
    if job.options.get("batches_made_before"):
        stream = Made([stream[index] for index in range(len(stream))])
    held_out = make_batches(job, job.eval_rows, shuffle=False) if job.eval_rows else None
    model.fit(stream, shuffle=False, verbose=0, callbacks=[Ticks(clock, held_out)])
    answer(clock.measured() | {"versions": versions(), "data": batches.report().as_dict()})
    return 0


def make_batches(job: Job, rows: str, *, shuffle: bool = True) -> PackedBatches:
    """Rows of `job`, tokenised and packed."""
    if job.sequence_length is None:
        raise ValueError("This trainer's rows need a length. Received: sequence_length=None. Give one in tokens.")
    tokenizer = load_tokenizer(Path(job.tokenizer))
    return PackedBatches(
        tokenize_examples(*read_pairs(rows), tokenizer, sequence_length=job.sequence_length),
        sequence_length=job.sequence_length,
        batch_size=job.batch_size,
        packing="best_fit" if job.packing else "none",
        epochs=job.options.get("epochs", 1),
        seed=job.seed,
        shuffle=shuffle,
    )


def make_model(job: Job) -> keras.Model:
    """Returns the compiled model, from random weights."""
    tokenizer = load_tokenizer(Path(job.tokenizer))
    backbone = build_backbone(
        vocabulary_size=tokenizer.get_vocab_size(),
        num_layers=job.sizes.num_layers,
        num_heads=job.sizes.num_heads,
        hidden_dim=job.sizes.hidden_dim,
        intermediate_dim=job.sizes.intermediate_dim,
        dropout=job.dropout,
        max_sequence_length=job.sizes.context,
        dtype=DTYPES[job.precision],
    )
    draw_weights(backbone)
    if job.initial_weights:
        TRANSFORMERS.write(TrainedModel(backbone, tokenizer, GREEDY), Path(job.initial_weights))
    if job.options.get("full_logits"):
        model = full_logits_model(backbone)
    else:
        length, remat = job.sequence_length or job.sizes.context, job.options.get("remat", False)
        model = training_model(backbone, sequence_length=length, remat=remat)
    optimizer = make_optimizer(job.learning_rate, weight_decay=0.01, clip_norm=1.0)
    model.compile(optimizer, jit_compile=keras.backend.backend() == "jax")
    optimizer.build(model.trainable_variables)
    return model


def count_tokens(batch: Batch) -> tuple[int, int, int]:
    """Tokens computed, real tokens, supervised tokens."""
    inputs, _, weights = batch
    segments = inputs["segment_ids"]
    return segments.size, int(np.count_nonzero(segments)), int(np.count_nonzero(weights))


def versions() -> dict[str, str]:
    """Returns the versions that were measured."""
    names = ["keras", "keras-hub", "jax" if keras.backend.backend() == "jax" else "tensorflow"]
    return {name: version(name) for name in names}


class Made(keras.utils.PyDataset):
    """Batches that are in memory already."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        super().__init__()
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Batch:
        return self.batches[index]


class Ticks(keras.callbacks.Callback):
    """Reads the clock after each step; evaluates when the job says so."""

    def __init__(self, clock: StepClock, held_out: PackedBatches | None) -> None:
        super().__init__()
        self.clock = clock
        self.held_out = held_out

    def on_train_begin(self, logs: Any = None) -> None:
        self._evaluate()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        float((logs or {})["loss"])  # waits for the step
        self.clock.tick()
        if self.clock.evaluation_due:
            self._evaluate()
        if self.clock.time_is_up:
            self.model.stop_training = True

    def _evaluate(self) -> None:
        if self.held_out is not None:
            with self.clock.evaluating() as record:
                record(evaluate(self.model, self.held_out).loss)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
