"""Supervised tokens per second and peak memory of this trainer against TRL's SFTTrainer, GPT-2 124M on Alpaca rows.

Both sides get the same rows, tokenizer, sizes, AdamW and precision, and start from random weights; the loss falls on
responses and end tokens only, on both. TRL runs with its defaults (batches of 8 rows, padded to the longest; gradient
checkpointing), with its packing on (8 rows of 1,024 tokens, all else default), and packed as it runs best here (4 rows
of 256, no gradient checkpointing), that also with the memory allocation which this trainer's process gets; in an
environment of its own that this command makes. Each run is a fresh process; the sides take turns, and the ratio is
taken within each turn.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.environments import PROJECT, make_environment
from benchmarks.rows import add_row_flags, take_pairs, write_pairs
from benchmarks.trainers.job import Job, Sizes
from modules.cpu_environment import cpu_environment

OWN, TRL = "benchmarks.trainers.own", "benchmarks.trainers.sft_trainer"
RIVALS = ("trl", "trl-packed", "trl-packed-tuned", "trl-packed-kept-memory")
ABLATIONS = ("own-remat", "plain-environment", "no-packing", "full-logits", "bfloat16", "batches-made-before")
INSTRUCTIONS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16")
Result = dict[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Prints a table of all turns, then one of medians."""
    options = _parse(arguments)
    python = make_environment("trl") if any(side.startswith("trl") for side in options.sides) else None
    with tempfile.TemporaryDirectory() as folder:
        rows = write_pairs(take_pairs(options, longest=options.length), Path(folder, "rows.json"))
        jobs = {side: make_job(side, rows, options) for side in options.sides}
        results: dict[str, list[Result]] = {side: [] for side in jobs}
        for _ in range(options.turns):
            for side, (module, job) in jobs.items():
                interpreter = python if module == TRL and python else Path(sys.executable)
                results[side].append(run(interpreter, module, job, Path(folder), environment(side, module)))
                last = results[side][-1]
                sys.stderr.write(
                    f"{side}: {last['supervised_per_second']:.1f} supervised tokens/s, {last['peak_mb']:.0f} MB, "
                    f"{last['user_seconds']:.0f} s user, {last['system_seconds']:.0f} s system\n"
                )
    sys.stdout.write(table(results) + "\n" + describe(results) + f"machine: {machine()}\n")
    return 0


def make_job(side: str, rows: str, options: argparse.Namespace) -> tuple[str, Job]:
    """Returns the module that does it, and its arguments."""
    own = Job(
        rows=rows,
        tokenizer=str(options.tokenizer.resolve()),
        steps=options.steps,
        warmup_steps=2,
        batch_size=options.batch_size,
        sequence_length=options.length,
        packing=True,
        dropout=options.dropout,
        seed=options.seed,
        sizes=sizes(options),
    )
    trl = replace(own, steps=options.rival_steps, warmup_steps=1, batch_size=8, sequence_length=None, packing=False)
    tuned = {"gradient_checkpointing": False}
    packed = replace(trl, packing=True, batch_size=4, sequence_length=options.length, options=tuned)
    return {
        "own": (OWN, own),
        "plain-environment": (OWN, own),
        "no-packing": (OWN, replace(own, packing=False)),
        "full-logits": (OWN, replace(own, options={"full_logits": True})),
        "own-remat": (OWN, replace(own, options={"remat": True})),
        "bfloat16": (OWN, replace(own, precision="bfloat16")),
        "batches-made-before": (OWN, replace(own, options={"batches_made_before": True})),
        "trl": (TRL, trl),
        "trl-packed": (TRL, replace(trl, packing=True, steps=options.packed_steps)),
        "trl-packed-tuned": (TRL, packed),
        "trl-packed-kept-memory": (TRL, packed),
    }[side]


def sizes(options: argparse.Namespace) -> Sizes:
    """Returns GPT-2's sizes, or tiny ones to try the command."""
    if options.tiny:
        return Sizes(num_layers=1, num_heads=2, hidden_dim=32, intermediate_dim=64)
    return Sizes()


def environment(side: str, module: str) -> dict[str, str]:
    """Returns the variables that a side's process is started with besides this one's.

    This trainer's are those of its own process in a pipeline; TRL gets glibc's part of them where its side says so.
    """
    added = cpu_environment(os.environ)
    if side == "trl-packed-kept-memory":
        return {name: value for name, value in added.items() if name.startswith("GLIBC")}
    return added if module == OWN and side != "plain-environment" else {}


def run(interpreter: Path, module: str, job: Job, folder: Path, added: Mapping[str, str] | None = None) -> Result:
    """Has `module` do `job` in a fresh process with the variables `added`; what it answers."""
    file = folder / "job.json"
    job.write(file)
    done = subprocess.run(
        [str(interpreter), "-m", module, str(file)],
        cwd=PROJECT,
        env=os.environ | (added or {}),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise SystemExit(f"{module} must end well. Received: status {done.returncode}.\n{done.stderr[-3000:]}")
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return result


def table(results: Mapping[str, Sequence[Result]]) -> str:
    """Medians by side; ratios of `own` to each other side, taken within each turn."""
    lines = [
        "| side | supervised tokens/s | tokens/s | padding | peak MB | user s | system s | page faults "
        "| speed of own / its | memory of own / its |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    own = results.get("own", ())
    for side, turns in results.items():
        pairs = list(zip(own, turns, strict=False))
        faster = [ours["supervised_per_second"] / other["supervised_per_second"] for ours, other in pairs]
        memory = [ours["peak_mb"] / other["peak_mb"] for ours, other in pairs]
        padding = statistics.median(1 - turn["tokens"] / turn["computed_tokens"] for turn in turns)
        columns = [
            side,
            f"{_median(turns, 'supervised_per_second'):.1f}",
            f"{_median(turns, 'tokens_per_second'):.1f}",
            f"{padding:.0%}",
            f"{_median(turns, 'peak_mb'):.0f}",
            f"{_median(turns, 'user_seconds'):.1f}",
            f"{_median(turns, 'system_seconds'):.1f}",
            f"{_median(turns, 'page_faults'):,.0f}",
            _ratios(faster),
            _ratios(memory),
        ]
        lines.append(f"| {' | '.join(columns)} |")
    return "\n".join(lines) + "\n"


def describe(results: Mapping[str, Sequence[Result]]) -> str:
    """Versions and settings, as the processes told them."""
    lines = []
    for side, turns in results.items():
        first = turns[0]
        facts = first["versions"] | first.get("settings", {}) | {"steps measured": first["steps"]}
        lines.append(f"{side}: " + ", ".join(f"{name} {value}" for name, value in facts.items()))
    return "\n".join(lines) + "\n"


def machine() -> str:
    """Returns the processor, what it can do, and how many of it there are."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = set(facts.get("flags", "").split())
    known = [flag for flag in INSTRUCTIONS if flag in flags]
    return f"{facts.get('model name', 'unknown processor')}, {os.cpu_count()} cores, {' '.join(known)}"


def _median(turns: Sequence[Result], name: str) -> float:
    return statistics.median(turn[name] for turn in turns)


def _ratios(values: Sequence[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values) or "-"


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    add_row_flags(parser, rows=400)
    sides = ("own", *RIVALS, *ABLATIONS)
    parser.add_argument(
        "--sides", nargs="+", choices=sides, default=["own", *RIVALS], help="what to run, in this order"
    )
    parser.add_argument("--turns", type=int, default=2, help="how often each side runs")
    parser.add_argument("--steps", type=int, default=16, help="optimizer steps of this trainer, 2 of them warm-up")
    parser.add_argument("--rival-steps", type=int, default=16, help="optimizer steps of TRL, 1 of them warm-up")
    parser.add_argument("--packed-steps", type=int, default=2, help="the same for TRL's packing at 8 x 1,024 tokens")
    parser.add_argument("--batch-size", type=int, default=4, help="rows per step of this trainer")
    parser.add_argument(
        "--length", type=int, default=256, help="tokens per row of this trainer; longer rows: neither side"
    )
    parser.add_argument("--dropout", type=float, default=0.0, help="share of activations dropped, on both sides")
    parser.add_argument("--tiny", action="store_true", help="a model of a few thousand parameters, to try the command")
    return parser.parse_args(list(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
