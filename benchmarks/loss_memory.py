"""What the chunked loss saves: time and peak memory against the plain one, both sides in one run.

Each side is a process of its own that takes the loss over the supervised tokens of a batch and its gradients for hidden
states and embedding, GPT-2's sizes by default. The plain side is what Keras does with a dense layer's logits and
SparseCategoricalCrossentropy.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

SIDES = ("plain", "chunked")


def main(arguments: Sequence[str]) -> int:
    """Prints a table; one row per side and number of tokens."""
    options = _parse(arguments)
    if options.side:
        sys.stdout.write(json.dumps(measure(options)) + "\n")
        return 0
    sys.stdout.write("| supervised tokens | loss | seconds per step | peak memory, MB | loss value |\n")
    sys.stdout.write("| --- | --- | --- | --- | --- |\n")
    for tokens in options.tokens:
        for side in SIDES:
            result = _in_own_process(options, side, tokens)
            sys.stdout.write(
                f"| {tokens} | {side} | {result['seconds']:.2f} | {result['peak_mb']:.0f} | {result['loss']:.4f} |\n"
            )
    return 0


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Median seconds of a step after the first, and the peak memory above what the data themselves take."""
    import numpy as np
    import tensorflow as tf

    tokens = options.tokens[0]
    step = _step(options.side, tokens)
    rng = np.random.default_rng(0)
    hidden = tf.constant(rng.standard_normal((tokens, options.width), np.float32))
    embedding = tf.constant(0.02 * rng.standard_normal((options.vocabulary, options.width), np.float32))
    targets = tf.constant(rng.integers(0, options.vocabulary, tokens), tf.int32)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = _memory_mb("VmRSS")
    loss, *_ = step(hidden, embedding, targets)
    seconds = []
    for _ in range(options.steps):
        started = time.perf_counter()
        step(hidden, embedding, targets)
        seconds.append(time.perf_counter() - started)
    return {"seconds": float(np.median(seconds)), "peak_mb": _memory_mb("VmHWM") - before, "loss": float(loss)}


def _step(side: str, tokens: int) -> Callable[..., Any]:
    import tensorflow as tf

    from modules.losses import summed_loss

    weights = tf.fill([tokens], 1.0 / tokens)

    @tf.function(autograph=False)
    def step(hidden: Any, embedding: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([hidden, embedding])
            if side == "chunked":
                loss, _ = summed_loss(hidden, embedding, targets, weights)
            else:
                logits = tf.matmul(hidden, embedding, transpose_b=True)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
                loss = tf.reduce_sum(losses * weights)
        return loss, *tape.gradient(loss, [hidden, embedding])

    return step


def _memory_mb(field: str) -> float:
    """VmRSS: resident now; VmHWM: resident at most."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(field))


def _in_own_process(options: argparse.Namespace, side: str, tokens: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.loss_memory", "--side", side, "--tokens", str(tokens)]
    command += ["--width", str(options.width), "--vocabulary", str(options.vocabulary), "--steps", str(options.steps)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loss_memory", description=__doc__)
    parser.add_argument("--tokens", type=int, nargs="+", default=[1024, 2048, 4096], help="supervised tokens per step")
    parser.add_argument("--width", type=int, default=768, help="hidden size")
    parser.add_argument("--vocabulary", type=int, default=50257, help="size of the vocabulary")
    parser.add_argument("--steps", type=int, default=3, help="steps to time after the first")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    return parser.parse_args(list(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
