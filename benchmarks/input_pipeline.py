"""Rows per second of tokenise, mask and pack, and memory as rows grow tenfold: this trainer's against TRL's.

Each run is a fresh process that gets the same prompts and responses, packs them into rows of the same length and makes
every batch of one epoch. Memory is what the process needs at most beyond what it held with the rows already read.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.environments import make_environment
from benchmarks.rows import add_row_flags, take_pairs, write_pairs
from benchmarks.throughput import run
from benchmarks.trainers.job import Job

SIDES = {"own": "benchmarks.trainers.own_pipeline", "trl": "benchmarks.trainers.sft_pipeline"}


def main(arguments: Sequence[str]) -> int:
    """Prints a line per side and number of rows."""
    options = _parse(arguments)
    interpreters = {"own": Path(sys.executable), "trl": make_environment("trl")}
    pairs = take_pairs(options)
    sys.stdout.write("| rows | side | rows/s | seconds by stage | memory added, MB | padding |\n")
    sys.stdout.write("| --- | --- | --- | --- | --- | --- |\n")
    with tempfile.TemporaryDirectory() as folder:
        for share in (10, 1):
            rows = write_pairs(pairs[: len(pairs) // share], Path(folder, "rows.json"))
            for side, module in SIDES.items():
                job = Job(
                    rows=rows,
                    tokenizer=str(options.tokenizer.resolve()),
                    steps=1,
                    batch_size=options.batch_size,
                    sequence_length=options.length,
                    packing=True,
                )
                sys.stdout.write(line(side, run(interpreters[side], module, job, Path(folder))))
    return 0


def line(side: str, result: dict[str, Any]) -> str:
    """Returns a row of the table."""
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in result["seconds"].items())
    rate = result["rows"] / sum(result["seconds"].values())
    return (
        f"| {result['rows']:,} | {side} | {rate:,.0f} | {stages} | {result['added_mb']:.0f} "
        f"| {result['padding']:.1%} |\n"
    )


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.input_pipeline", description=__doc__)
    add_row_flags(parser, rows=50_000)
    parser.add_argument("--batch-size", type=int, default=8, help="rows per batch")
    parser.add_argument("--length", type=int, default=512, help="tokens per row")
    return parser.parse_args(list(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
