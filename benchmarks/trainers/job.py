"""The job of a trainer's process, and its answer. Standard library only: it runs in any environment."""

from __future__ import annotations

import contextlib
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Sizes:
    """GPT-2's sizes; by default those of the smallest published one, 124 million parameters."""

    num_layers: int = 12
    num_heads: int = 12
    hidden_dim: int = 768
    intermediate_dim: int = 3072
    context: int = 1024


@dataclass(frozen=True)
class Job:
    """One training run from scratch.

    Attributes:
        rows: JSON file of ``[prompt, response]`` pairs.
        tokenizer: folder with ``vocab.json`` and ``merges.txt``.
        steps: optimizer steps, warm-up included.
        warmup_steps: steps that come before the measured ones: they compile, and fill caches.
        batch_size: rows per step.
        sequence_length: tokens per row; None leaves the trainer's own default.
        packing: several examples in a row.
        precision: ``float32`` or ``bfloat16``.
        dropout: share of activations dropped, 0 to 1.
        learning_rate: AdamW's, constant.
        seconds: stop after so much training time even if steps are left; None for no limit.
        eval_rows: JSON file of pairs whose loss is wanted, and ``eval_every`` steps between two evaluations.
        initial_weights: folder of a Transformers checkpoint to start from; this project's trainer, which draws the
            weights, writes it.
        options: settings that only one of the trainers knows.
    """

    rows: str
    tokenizer: str
    steps: int
    batch_size: int
    sequence_length: int | None
    packing: bool
    warmup_steps: int = 1
    precision: str = "float32"
    dropout: float = 0.0
    learning_rate: float = 1e-4
    seconds: float | None = None
    eval_rows: str | None = None
    eval_every: int = 0
    seed: int = 0
    initial_weights: str | None = None
    sizes: Sizes = field(default_factory=Sizes)
    options: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")


def read_job(arguments: Sequence[str]) -> Job:
    """Returns the job whose file is named on the command line."""
    content = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    return Job(**content | {"sizes": Sizes(**content["sizes"])})


def read_pairs(path: str) -> tuple[list[str], list[str]]:
    """Prompts and responses."""
    pairs = json.loads(Path(path).read_text(encoding="utf-8"))
    return [prompt for prompt, _ in pairs], [response for _, response in pairs]


def answer(result: dict[str, Any]) -> None:
    """Prints the process's last line on standard output."""
    sys.stdout.write(json.dumps(result) + "\n")


def memory_mb(field: str) -> float:
    """Returns the resident memory of this process in MB: ``VmRSS`` now, ``VmHWM`` at most."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


class StepClock:
    """Notes when each optimizer step ended, in seconds of training; evaluations stop it.

    Args:
        job: what is timed.
        counts: per step: tokens computed (padding included), real tokens, supervised tokens. May grow as steps go on.
    """

    def __init__(self, job: Job, counts: Sequence[Sequence[int]]) -> None:
        self.job = job
        self.counts = counts
        self.ends: list[float] = []
        self.usages: list[resource.struct_rusage] = []
        self.evaluations: list[dict[str, float]] = []
        self._start = time.perf_counter()

    def tick(self) -> None:
        """Notes that a step has ended."""
        self.ends.append(time.perf_counter() - self._start)
        self.usages.append(resource.getrusage(resource.RUSAGE_SELF))

    @property
    def evaluation_due(self) -> bool:
        steps, every = len(self.ends), self.job.eval_every
        return every > 0 and (steps % every == 0 or steps == self.job.steps or self.time_is_up)

    @property
    def time_is_up(self) -> bool:
        return self.job.seconds is not None and self._trained() > self.job.seconds

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[Callable[[float], None]]:
        """Stops the clock while it lasts; yields the function that records the loss."""
        stopped = time.perf_counter()

        def record(loss: float) -> None:
            tokens = sum(step[2] for step in self.counts[: len(self.ends)])
            self.evaluations.append({"seconds": self._trained(), "supervised_tokens": tokens, "loss": loss})

        yield record
        self._start += time.perf_counter() - stopped

    def measured(self) -> dict[str, Any]:
        """Seconds, and what passed in them, of the steps after the warm-up."""
        warmup, steps = self.job.warmup_steps, len(self.ends)
        seconds = self.ends[-1] - self.ends[warmup - 1]
        before, after = self.usages[warmup - 1], self.usages[-1]
        computed, real, supervised = (sum(step[kind] for step in self.counts[warmup:steps]) for kind in range(3))
        return {
            "steps": steps - warmup,
            "seconds": seconds,
            "computed_tokens": computed,
            "tokens": real,
            "supervised_tokens": supervised,
            "supervised_per_second": supervised / seconds,
            "tokens_per_second": real / seconds,
            "user_seconds": after.ru_utime - before.ru_utime,
            "system_seconds": after.ru_stime - before.ru_stime,
            "page_faults": after.ru_minflt - before.ru_minflt,
            "peak_mb": memory_mb("VmHWM"),
            "evaluations": self.evaluations,
        }

    def _trained(self) -> float:
        """Seconds of the steps after the warm-up."""
        return self.ends[-1] - self.ends[self.job.warmup_steps - 1] if len(self.ends) >= self.job.warmup_steps else 0.0
