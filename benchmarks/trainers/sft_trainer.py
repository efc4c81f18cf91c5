"""TRL's SFTTrainer, run by a job file in its own environment: `python -m benchmarks.trainers.sft_trainer JOB`."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}

import datasets  # type: ignore[import-not-found]
import torch  # type: ignore[import-not-found]
import transformers  # type: ignore[import-not-found]
import trl  # type: ignore[import-not-found]

from benchmarks.trainers.job import Job, StepClock, answer, read_job, read_pairs

IGNORED = -100
SFT_OPTIONS = ("gradient_checkpointing",)


def main(arguments: Sequence[str]) -> int:
    """Trains, and answers with what the measured steps took."""
    job = read_job(arguments)
    transformers.set_seed(job.seed)
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(job, folder)
        counts = count_tokens(trainer)
        clock = StepClock(job, counts)
        trainer.add_callback(Ticks(clock, trainer))
        trainer.train()
    attention = {"attention": trainer.model.config._attn_implementation}
    answer(clock.measured() | {"versions": versions(), "settings": settings(trainer) | attention})
    return 0


def make_trainer(job: Job, folder: str) -> Any:
    """Returns SFTTrainer with its defaults, but for what the job says."""
    given: dict[str, Any] = {"packing": True} if job.packing else {}
    if job.sequence_length is not None:
        given["max_length"] = job.sequence_length
    config = trl.SFTConfig(
        output_dir=folder,
        max_steps=job.steps,
        per_device_train_batch_size=job.batch_size,
        learning_rate=job.learning_rate,
        lr_scheduler_type="constant",
        weight_decay=0.01,
        adam_beta2=0.95,
        bf16=job.precision == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        seed=job.seed,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **given,
        **{name: value for name, value in job.options.items() if name in SFT_OPTIONS},
    )
    return trl.SFTTrainer(
        make_model(job), config, train_dataset=make_dataset(job.rows), processing_class=make_tokenizer(job.tokenizer)
    )


def make_model(job: Job) -> Any:
    """Returns GPT-2 with the job's initial weights, or random ones."""
    attention = job.options.get("attention")
    if job.initial_weights:
        dropout = dict.fromkeys(("attn_pdrop", "embd_pdrop", "resid_pdrop"), job.dropout)
        return transformers.AutoModelForCausalLM.from_pretrained(
            job.initial_weights, attn_implementation=attention, dtype=torch.float32, **dropout
        )
    config = transformers.GPT2Config(
        n_layer=job.sizes.num_layers,
        n_head=job.sizes.num_heads,
        n_embd=job.sizes.hidden_dim,
        n_inner=job.sizes.intermediate_dim,
        n_positions=job.sizes.context,
        attn_pdrop=job.dropout,
        embd_pdrop=job.dropout,
        resid_pdrop=job.dropout,
        vocab_size=make_tokenizer(job.tokenizer).vocab_size,
    )
    return transformers.AutoModelForCausalLM.from_config(config, attn_implementation=attention)


def make_tokenizer(folder: str) -> Any:
    """Returns GPT-2's fast tokenizer, padding with the end token."""
    files = {"vocab": str(Path(folder) / "vocab.json"), "merges": str(Path(folder) / "merges.txt")}
    tokenizer = transformers.GPT2Tokenizer(**files)
    tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def make_dataset(rows: str) -> Any:
    """Prompts and completions: for such rows SFTTrainer's loss falls on the completion alone."""
    prompts, completions = read_pairs(rows)
    return datasets.Dataset.from_dict({"prompt": prompts, "completion": completions})


def count_tokens(trainer: Any) -> list[tuple[int, int, int]]:
    """Grows by one entry per batch: tokens computed, real tokens, supervised tokens."""
    counts: list[tuple[int, int, int]] = []
    collate = trainer.data_collator

    def counting(examples: list[dict[str, Any]]) -> Any:
        batch = collate(examples)
        real = sum(len(example["input_ids"]) for example in examples)
        counts.append((batch["input_ids"].numel(), real, int((batch["labels"] != IGNORED).sum())))
        return batch

    trainer.data_collator = counting
    return counts


def settings(trainer: Any) -> dict[str, Any]:
    """Returns the settings that TRL ran with, its defaults included."""
    names = ["max_length", "packing", "packing_strategy", "padding_free", "completion_only_loss", "loss_type"]
    names += ["gradient_checkpointing", "per_device_train_batch_size", "bf16", "optim", "max_grad_norm"]
    return {name: str(getattr(trainer.args, name)) for name in names}


def versions() -> dict[str, str]:
    """Returns the versions that were measured."""
    return {module.__name__: module.__version__ for module in (trl, transformers, torch)}


class Ticks(transformers.TrainerCallback):
    """Reads the clock after each step; evaluates when the job says so."""

    def __init__(self, clock: StepClock, trainer: Any) -> None:
        self.clock = clock
        self.trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._evaluate()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.clock.tick()
        if self.clock.evaluation_due:
            self._evaluate()
        control.should_training_stop = control.should_training_stop or self.clock.time_is_up

    def _evaluate(self) -> None:
        if self.clock.job.eval_rows:
            with self.clock.evaluating() as record:
                record(evaluate(self.trainer, self.clock.job))


def evaluate(trainer: Any, job: Job) -> float:
    """Returns the mean negative log-likelihood (nats) of the held-out completions' tokens, end token included;
    dropout off."""
    assert job.eval_rows is not None
    tokenizer, model = trainer.processing_class, trainer.model
    total, tokens = 0.0, 0
    model.eval()
    with torch.no_grad():
        for prompt, completion in zip(*read_pairs(job.eval_rows), strict=True):
            given = tokenizer(prompt)["input_ids"]
            asked = tokenizer(completion)["input_ids"] + [tokenizer.eos_token_id]
            ids = torch.tensor([given + asked], device=model.device)
            logits = model(ids).logits[0, len(given) - 1 : -1].float()  # [completion, V]
            loss = torch.nn.functional.cross_entropy(logits, ids[0, len(given) :], reduction="sum")
            total, tokens = total + float(loss), tokens + len(asked)
    model.train()
    return total / tokens


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
