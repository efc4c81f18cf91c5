"""Training on one GPU: this trainer on JAX against TRL on PyTorch with flash attention and packing, GPT-2 in bfloat16.

    python -m benchmarks.gpu_throughput --data … --tokenizer … --sizes base medium

Needs `make setup EXTRAS=jax-gpu`; the other side's environment is made by this command. Both sides get the same Alpaca
rows, packed into rows of the same length, and as many rows per step. Model FLOPs utilisation counts what the task
needs, on both sides alike: 6 times the parameters of the blocks for each real token, and of the output layer for each
supervised one; padding, logits of prompts and recomputation count as nothing. Attention's own products, about 1 % at
Alpaca's lengths, are left out. `--tiny` tries the command on a processor.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.environments import make_environment
from benchmarks.rows import add_row_flags, take_pairs, write_pairs
from benchmarks.throughput import OWN, TRL, run
from benchmarks.trainers.job import Job, Sizes
from modules.models.gpt2.tokenizer import load_tokenizer

SIZES = {
    "base": Sizes(),
    "medium": Sizes(num_layers=24, num_heads=16, hidden_dim=1024, intermediate_dim=4096),
    "tiny": Sizes(num_layers=1, num_heads=2, hidden_dim=32, intermediate_dim=64),
}
H100_BF16_TFLOPS = 989.0  # dense, of NVIDIA's data sheet for the SXM form
MEMORY = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


def main(arguments: Sequence[str]) -> int:
    """Prints a table with a line per size and side."""
    options = _parse(arguments)
    python = make_environment("trl" if options.tiny else "trl-gpu")
    vocabulary = load_tokenizer(options.tokenizer).get_vocab_size()
    sys.stdout.write("| size | side | tokens/s | supervised tokens/s | padding | utilisation |\n")
    sys.stdout.write("| --- | --- | --- | --- | --- | --- |\n")
    with tempfile.TemporaryDirectory() as folder:
        rows = write_pairs(take_pairs(options, longest=options.length), Path(folder, "rows.json"))
        for size in ["tiny"] if options.tiny else options.sizes:
            own = make_job(SIZES[size], rows, options)
            settings = {"gradient_checkpointing": False, "attention": options.attention}
            trl = replace(own, options=settings)
            os.environ |= {"KERAS_BACKEND": options.backend, **MEMORY}
            for side, module, interpreter, job in (("own", OWN, Path(sys.executable), own), ("trl", TRL, python, trl)):
                result = run(interpreter, module, job, Path(folder))
                used = utilisation(result, job.sizes, vocabulary, peak_tflops=options.peak_tflops)
                sys.stdout.write(line(size, side, result, used))
    return 0


def make_job(sizes: Sizes, rows: str, options: argparse.Namespace) -> Job:
    """Returns the job that both sides do."""
    return Job(
        rows=rows,
        tokenizer=str(options.tokenizer.resolve()),
        steps=options.steps,
        warmup_steps=options.warmup_steps,
        batch_size=options.batch_size,
        sequence_length=options.length,
        packing=True,
        precision="bfloat16",
        seed=options.seed,
        sizes=sizes,
    )


def utilisation(result: dict[str, Any], sizes: Sizes, vocabulary: int, *, peak_tflops: float) -> float:
    """Returns useful operations per second as a share of the device's peak."""
    block = 4 * sizes.hidden_dim**2 + 2 * sizes.hidden_dim * sizes.intermediate_dim
    needed = 6 * sizes.num_layers * block * result["tokens"]
    needed += 6 * sizes.hidden_dim * vocabulary * result["supervised_tokens"]
    return float(needed / result["seconds"] / (peak_tflops * 1e12))


def line(size: str, side: str, result: dict[str, Any], used: float) -> str:
    """Returns a row of the table."""
    padding = 1 - result["tokens"] / result["computed_tokens"]
    return (
        f"| {size} | {side} | {result['tokens_per_second']:,.0f} | {result['supervised_per_second']:,.0f} "
        f"| {padding:.1%} | {used:.1%} |\n"
    )


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_throughput",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_row_flags(parser, rows=40_000)
    parser.add_argument("--sizes", nargs="+", choices=["base", "medium"], default=["base", "medium"])
    parser.add_argument("--steps", type=int, default=40, help="optimizer steps")
    parser.add_argument("--warmup-steps", type=int, default=10, help="of them, not measured")
    parser.add_argument("--batch-size", type=int, default=32, help="rows per step")
    parser.add_argument("--length", type=int, default=1024, help="tokens per row")
    parser.add_argument("--attention", default="flash_attention_2", help="the other side's, by Transformers' name")
    parser.add_argument("--backend", choices=["jax", "tensorflow"], default="jax", help="Keras' backend")
    parser.add_argument("--peak-tflops", type=float, default=H100_BF16_TFLOPS, help="of the device, in bfloat16")
    parser.add_argument("--tiny", action="store_true", help="a model of a few thousand parameters, to try the command")
    return parser.parse_args(list(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
