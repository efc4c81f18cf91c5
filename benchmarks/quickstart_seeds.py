"""Trains the quickstart's model from several seeds, without the pipeline around it, and counts its exact answers.

    python -m benchmarks.quickstart_seeds --seeds 42 1 2 3 4 [--training.max-steps 1000 …]

Each training is the Trainer's own, early stopping included. Its answers to all held-out rows are counted as the Trainer
counts them: by the SavedModel's graph, greedily, end of answer included.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

from data.tfrecords import read_examples
from modules.exports.keras_preset import KERAS
from modules.models.gpt2.weights import load_preset
from modules.prompts import ALPACA
from modules.serving.exact_answers import exact_answers
from modules.serving.generation import TextGenerator
from modules.serving.signatures import ServingModule
from modules.settings.rows import RowSettings
from modules.settings.run import RunSettings, with_values
from modules.training.backend import train_in_subprocess
from modules.training.task import RowTexts, TrainingTask
from pipeline.config import PipelineConfig
from pipeline.config.sources import load_config


class Result(NamedTuple):
    """The result of one seed: optimizer steps done, planned, kept; the kept weights' loss in nats; exact answers."""

    seed: int
    steps: int
    planned_steps: int
    kept_step: int
    eval_loss: float
    exact: int
    rows: int
    seconds: float


def main(arguments: Sequence[str]) -> int:
    """Prints a table."""
    options, rest = _parse(arguments)
    config = load_config(rest, os.environ)
    settings = RunSettings(
        data=RowSettings(kind=config.data.kind),
        model=config.model,
        training=config.training,
        generation=config.generation,
        export=config.export,
    )
    rows = read_split(config, config.data.train_pattern)
    eval_rows = read_split(config, config.data.eval_pattern)
    results = []
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            results.append(measure(settings, rows, eval_rows, seed=seed, folder=Path(folder)))
        sys.stderr.write(f"  {results[-1]}\n")
    sys.stdout.write(table(results))
    return 0


def read_split(config: PipelineConfig, pattern: str) -> RowTexts:
    """Prompts and responses of one split, in the order in which Trainer reads them."""
    files = sorted(Path(config.data.path).glob(pattern))
    rows = [row for path in files for row in read_examples(path)]
    pairs = sorted((ALPACA.format(row.instruction, row.input), row.output) for row in rows)
    return [prompt for prompt, _ in pairs], [response for _, response in pairs]


def measure(settings: RunSettings, rows: RowTexts, eval_rows: RowTexts, *, seed: int, folder: Path) -> Result:
    """Trains with `seed` and asks everything; `folder` is where the model goes."""
    chosen = with_values(settings, {"training.seed": seed})
    serving_model_dir = folder / "model/Format-Serving"
    task = TrainingTask(chosen, rows, eval_rows, str(folder / "logs"), str(serving_model_dir), None)
    report = train_in_subprocess(task).report
    backbone, tokenizer = load_preset(str(folder / "model" / KERAS.artifact_folder), dropout=0.0, dtype="float32")
    module = ServingModule(TextGenerator(backbone, tokenizer), chosen.generation)
    answers = exact_answers(module.respond, *eval_rows, rows=len(eval_rows[0]))
    assert answers is not None
    keras.utils.clear_session()
    gc.collect()
    figures = {name: report[name] for name in ("steps", "planned_steps", "kept_step", "eval_loss", "seconds")}
    return Result(seed=seed, exact=answers["exact"], rows=answers["rows"], **figures)


def table(results: Sequence[Result]) -> str:
    """Returns a line per seed, then their means."""
    lines = [
        "| seed | steps | planned | weights of step | evaluation loss | exact answers | training |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for result in results:
        share = f"{result.exact} of {result.rows} ({result.exact / result.rows:.1%})"
        counts = f"{result.seed} | {result.steps} | {result.planned_steps} | {result.kept_step}"
        lines.append(f"| {counts} | {result.eval_loss:.4f} | {share} | {result.seconds:.0f} s |")
    steps, loss, seconds = (_mean(results, name) for name in ("steps", "eval_loss", "seconds"))
    exact = statistics.mean(result.exact / result.rows for result in results)
    lines.append(f"| mean | {steps:.0f} | | | {loss:.4f} | {exact:.1%} | {seconds:.0f} s |")
    return "\n".join(lines) + "\n"


def _mean(results: Sequence[Result], name: str) -> float:
    return statistics.mean(getattr(result, name) for result in results)


def _parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quickstart_seeds", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 1, 2, 3, 4], help="one training each")
    return parser.parse_known_args(list(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
