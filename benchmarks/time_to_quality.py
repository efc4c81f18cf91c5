"""Held-out response loss after equal time and after equal tokens: this trainer against TRL's SFTTrainer.

The same small GPT-2 from the same random weights, the same rows, the same AdamW with a constant learning rate,
float32; both sides see every row once per epoch, in an order of their own, for several seeds. TRL runs packed, at the
batch that gives both sides about as many supervised tokens per step, and without gradient checkpointing, which would
only slow it down. Evaluation does not count as time; both sides evaluate the same held-out rows: the mean negative
log-likelihood of a response's tokens, end token included.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from benchmarks.environments import make_environment
from benchmarks.rows import add_row_flags, take_pairs, write_pairs
from benchmarks.throughput import OWN, TRL, run
from benchmarks.trainers.job import Job, Sizes

POINTS = 5
Curve = Sequence[dict[str, float]]


def main(arguments: Sequence[str]) -> int:
    """Prints the losses at equal times and at equal tokens, means over the seeds."""
    options = _parse(arguments)
    python = make_environment("trl")
    with tempfile.TemporaryDirectory() as folder:
        own, trl = make_jobs(options, Path(folder))
        curves: dict[str, list[Curve]] = {"own": [], "trl": []}
        for seed in range(options.seeds):
            for side, module, interpreter, job in (("own", OWN, Path(sys.executable), own), ("trl", TRL, python, trl)):
                weights = str(Path(folder, f"weights-{seed}"))
                result = run(interpreter, module, replace(job, seed=seed, initial_weights=weights), Path(folder))
                curves[side].append(result["evaluations"])
                last = result["evaluations"][-1]
                sys.stderr.write(f"{side}, seed {seed}: {last}\n")
    for measure in ("seconds", "supervised_tokens"):
        sys.stdout.write(table(curves["own"], curves["trl"], measure=measure) + "\n")
    return 0


def make_jobs(options: argparse.Namespace, folder: Path) -> tuple[Job, Job]:
    """Returns the job of each side."""
    pairs = take_pairs(options, longest=options.length)
    held_out = len(pairs) // 10
    own = Job(
        rows=write_pairs(pairs[held_out:], folder / "rows.json"),
        eval_rows=write_pairs(pairs[:held_out], folder / "eval_rows.json"),
        tokenizer=str(options.tokenizer.resolve()),
        steps=options.steps,
        warmup_steps=1,
        batch_size=options.batch_size,
        sequence_length=options.length,
        packing=True,
        learning_rate=options.learning_rate,
        seconds=options.seconds,
        eval_every=options.eval_every,
        sizes=Sizes(num_layers=4, num_heads=4, hidden_dim=256, intermediate_dim=1024, context=options.length),
        options={"epochs": options.epochs},
    )
    return own, replace(own, options={"gradient_checkpointing": False})


def table(own: Sequence[Curve], trl: Sequence[Curve], *, measure: str) -> str:
    """Losses where both have evaluations, at evenly spaced points of `measure`."""
    begin = max(curve[0][measure] for curve in (*own, *trl))
    end = min(curve[-1][measure] for curve in (*own, *trl))
    lines = [f"| {measure.replace('_', ' ')} | own | trl | own less trl |", "| --- | --- | --- | --- |"]
    for point in range(POINTS):
        at = begin + (end - begin) * point / (POINTS - 1)
        ours, theirs = (statistics.mean(loss_at(curve, measure, at) for curve in side) for side in (own, trl))
        lines.append(f"| {at:,.0f} | {ours:.3f} | {theirs:.3f} | {ours - theirs:+.3f} |")
    return "\n".join(lines) + "\n"


def loss_at(curve: Curve, measure: str, at: float) -> float:
    """Returns the loss at a point between two evaluations, on the line between them."""
    for before, after in pairwise(curve):
        if before[measure] <= at <= after[measure]:
            share = (at - before[measure]) / max(after[measure] - before[measure], 1e-9)
            return before["loss"] + share * (after["loss"] - before["loss"])
    return min(curve, key=lambda point: abs(point[measure] - at))["loss"]


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.time_to_quality", description=__doc__)
    add_row_flags(parser, rows=4000)
    parser.add_argument("--seeds", type=int, default=2, help="runs of each side, each with another order and weights")
    parser.add_argument("--seconds", type=float, default=60.0, help="training time of a run")
    parser.add_argument("--steps", type=int, default=2000, help="optimizer steps at most")
    parser.add_argument("--epochs", type=int, default=20, help="epochs that --steps may take")
    parser.add_argument("--batch-size", type=int, default=8, help="rows per step")
    parser.add_argument("--length", type=int, default=256, help="tokens per row")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--eval-every", type=int, default=10, help="steps between two evaluations")
    return parser.parse_args(list(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
