"""Measures the chunked loss: time and peak memory against the plain one, both sides in one run.

Each side is a process of its own that takes the loss over the supervised tokens of a batch and its gradients for hidden
states and embedding, GPT-2's sizes by default. The plain side is what Keras does with a dense layer's logits and
SparseCategoricalCrossentropy. With JAX the step is compiled before memory is measured: its compiler takes some too.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
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
    """Returns the median seconds of a step after the first, and the peak memory above what the data themselves take."""
    import numpy as np

    tokens = options.tokens[0]
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((tokens, options.width), np.float32)
    embedding = (0.02 * rng.standard_normal((options.vocabulary, options.width), np.float32)).astype(np.float32)
    targets = rng.integers(0, options.vocabulary, tokens).astype(np.int32)
    make = _jax_step if options.backend == "jax" else _tensorflow_step
    step = make(options.side, hidden, embedding, targets)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = _memory_mb("VmRSS")
    loss = step()
    seconds = []
    for _ in range(options.steps):
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
    return {"seconds": float(np.median(seconds)), "peak_mb": _memory_mb("VmHWM") - before, "loss": loss}


def _tensorflow_step(side: str, *arrays: Any) -> Callable[[], float]:
    import tensorflow as tf

    from modules.models.losses import summed_loss

    hidden, embedding, targets = (tf.constant(array) for array in arrays)
    weights = tf.fill([len(arrays[0])], 1.0 / len(arrays[0]))

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

    return lambda: float(step(hidden, embedding, targets)[0])


def _jax_step(side: str, *arrays: Any) -> Callable[[], float]:
    jax = importlib.import_module("jax")

    from modules.models.losses import summed_loss

    weights = jax.numpy.full([len(arrays[0])], 1.0 / len(arrays[0]))

    def loss(hidden: Any, embedding: Any, targets: Any) -> Any:
        if side == "chunked":
            return summed_loss(hidden, embedding, targets, weights)[0]
        likelihoods = jax.nn.log_softmax(hidden @ embedding.T)
        return -(jax.numpy.take_along_axis(likelihoods, targets[:, None], axis=-1)[:, 0] * weights).sum()

    given = [jax.numpy.asarray(array) for array in arrays]
    compiled = jax.jit(jax.value_and_grad(loss, argnums=(0, 1))).lower(*given).compile()
    return lambda: float(jax.block_until_ready(compiled(*given))[0])


def _memory_mb(field: str) -> float:
    """VmRSS: resident now; VmHWM: resident at most."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(field))


def _in_own_process(options: argparse.Namespace, side: str, tokens: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.loss_memory", "--side", side, "--tokens", str(tokens)]
    command += ["--width", str(options.width), "--vocabulary", str(options.vocabulary), "--steps", str(options.steps)]
    command += ["--backend", options.backend]
    environment = os.environ | {"KERAS_BACKEND": options.backend}
    done = subprocess.run(
        command, check=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loss_memory", description=__doc__)
    parser.add_argument("--tokens", type=int, nargs="+", default=[256, 1024, 8192], help="supervised tokens per step")
    parser.add_argument("--width", type=int, default=768, help="hidden size")
    parser.add_argument("--vocabulary", type=int, default=50257, help="size of the vocabulary")
    parser.add_argument("--steps", type=int, default=3, help="steps to time after the first")
    parser.add_argument("--backend", choices=("tensorflow", "jax"), default="tensorflow", help="of Keras")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    return parser.parse_args(list(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
