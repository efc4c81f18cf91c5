"""Greedy generation on this processor: tokens per second of every export, and of Transformers on PyTorch.

    python -m benchmarks.generation_speed MODEL_FOLDER [--transformers-python .venv-parity/bin/python]

The prompts are held-out rows of the sample data set. Each side runs alone in a process of its own, first untimed, then
`--turns` times, of which the best counts. All sides give the same answers (benchmarks.agreement), so the tokens are
counted once, end tokens included; in int8 a few may differ.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.generation_sides import Task
from data.tfrecords import read_examples
from modules.prompts import format_of_spec
from modules.proving.requests import requests_of

PROJECT = Path(__file__).parents[1]
ROWS = PROJECT / "data/sample/tfrecords/sample-eval-00000-of-00001.tfrecord"
COUNTING = "ctranslate2_float32"  # the side whose tokens are counted
NAMES = {
    "saved_model": "SavedModel",
    "keras": "KerasHub preset, `generate`",
    "ctranslate2_float32": "CTranslate2, float32",
    "ctranslate2": "CTranslate2, int8",
    "transformers": "Transformers, `generate`",
}


def main(arguments: Sequence[str]) -> int:
    """Prints the table."""
    options = _parse(arguments)
    task = make_task(options)
    with tempfile.TemporaryDirectory() as folder:
        task_file = Path(folder, "task.json")
        task_file.write_text(json.dumps(asdict(task)), encoding="utf-8")
        interpreters = dict.fromkeys(NAMES, Path(sys.executable)) | {"transformers": options.transformers_python}
        results = {side: run(python, side, task_file) for side, python in interpreters.items() if python}
    sys.stdout.write(table(results, task))
    return 0


def make_task(options: argparse.Namespace) -> Task:
    """As many prompts as the largest batch has."""
    spec = json.loads((options.model_folder / "exports/prompt.json").read_text(encoding="utf-8"))
    prompt_format = format_of_spec(spec)
    rows = list(read_examples(ROWS))
    chosen = rows[:: len(rows) // max(options.batches)][: max(options.batches)]
    prompts = [prompt_format.format(row.instruction, row.input) for row in chosen]
    requests = requests_of(options.model_folder, prompts, rows=[], new_tokens=options.new_tokens)
    return Task(
        str(options.model_folder.resolve()),
        prompts,
        requests.prompt_ids,
        options.new_tokens,
        requests.end_token_id,
        options.batches,
        options.turns,
    )


def run(python: Path, side: str, task_file: Path) -> dict[str, Any]:
    """Returns the figures of the side, measured alone on the machine."""
    command = [str(python), "-m", "benchmarks.generation_sides", side, str(task_file)]
    done = subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def table(results: Mapping[str, Mapping[str, Any]], task: Task) -> str:
    """Returns one line per side."""
    tokens = results[COUNTING]["tokens"]
    heads = [f"batch {batch}, tokens/s" for batch in task.batches]
    lines = [f"{len(task.prompts)} prompts, {tokens} new tokens in all.", ""]
    lines += [f"| form | {' | '.join(heads)} |", "| --- |" + " --- |" * len(heads)]
    for side, result in results.items():
        speeds = [f"{tokens / seconds:,.1f}" for seconds in result["seconds"].values()]
        lines.append(f"| {NAMES[side]} | {' | '.join(speeds)} |")
    return "\n".join(lines) + "\n"


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generation_speed", description=__doc__)
    parser.add_argument("model_folder", type=Path, help="a Trainer's model artifact; benchmarks.random_model makes one")
    parser.add_argument("--transformers-python", type=Path, help="interpreter with Transformers and PyTorch")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--turns", type=int, default=3)
    return parser.parse_args(list(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
