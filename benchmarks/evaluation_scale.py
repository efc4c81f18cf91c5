"""Measures an evaluation: time and peak memory of the Evaluator for growing numbers of rows, and its figures.

    python -m benchmarks.evaluation_scale --model FOLDER --data FOLDER [--rows 500 1000 2000]

FOLDER is a model artifact as the Trainer leaves it, and one with *-eval*.tfrecord files. Every size is a process of its
own, in which the executor runs as in the pipeline: TFMA on Beam, through the SavedModel's ``score`` signature.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from data.tfrecords import read_examples, write_examples

SCHEMA = Path(__file__).parents[1] / "pipeline/schema/alpaca.pbtxt"


def main(arguments: Sequence[str]) -> int:
    """Prints a table; one row per number of rows."""
    options = _parse(arguments)
    if options.one:
        sys.stdout.write(json.dumps(measure(options.model, options.data, rows=options.rows[0])) + "\n")
        return 0
    sys.stdout.write(
        "| rows | response tokens | seconds | rows/s | peak memory, MB | loss | perplexity | token accuracy |\n"
    )
    sys.stdout.write("| --- | --- | --- | --- | --- | --- | --- | --- |\n")
    for rows in options.rows:
        found = _in_own_process(options, rows)
        now = found["figures"]
        sys.stdout.write(
            f"| {now['rows']:,.0f} | {now['tokens']:,.0f} | {found['seconds']:.1f} | "
            f"{now['rows'] / found['seconds']:.0f} | {found['peak_mb']:,.0f} | {now['loss']:.4f} | "
            f"{now['perplexity']:.2f} | {now['token_accuracy']:.1%} |\n"
        )
        sys.stdout.flush()
    return 0


def measure(model: Path, data: Path, *, rows: int) -> dict[str, Any]:
    """Seconds, peak memory of the process in MB, and the figures over all rows.

    Args:
        model: a model artifact's folder.
        data: folder with the files of the evaluation split.
        rows: how many of them to score.
    """
    with tempfile.TemporaryDirectory() as place:
        started, report = evaluate(model, data, Path(place), rows=rows)
        seconds = time.perf_counter() - started
    overall = next(row for row in report["slices"] if not row["slice"])
    return {"seconds": seconds, "peak_mb": _peak_mb(), "figures": overall["candidate"]}


def evaluate(model: Path, data: Path, place: Path, *, rows: int) -> tuple[float, dict[str, Any]]:
    """Returns when the evaluation itself began, and its report.

    Args:
        model: a model artifact's folder.
        data: folder with the files of the evaluation split.
        place: an empty folder to work in.
        rows: how many rows to score.
    """
    from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
    from tfx.types import artifact_utils, standard_artifacts

    from pipeline.beam import BEAM_ARGUMENTS
    from pipeline.components.evaluator.executor import Executor
    from pipeline.components.evaluator.record import EvaluationRecord

    examples = _artifact(standard_artifacts.Examples, place / "examples")
    examples.split_names = artifact_utils.encode_split_names(["eval"])
    files = sorted(data.glob("*-eval*.tfrecord*"))
    write_examples(
        place / "examples/Split-eval/data_tfrecord-00000-of-00001",
        islice(chain.from_iterable(map(read_examples, files)), rows),
    )
    (place / "schema").mkdir()
    (place / "schema/schema.pbtxt").write_bytes(SCHEMA.read_bytes())
    inputs = {
        "examples": [examples],
        "schema": [_artifact(standard_artifacts.Schema, place / "schema")],
        "model": [_artifact(standard_artifacts.Model, model)],
    }
    outputs = {
        "evaluation": [_artifact(standard_artifacts.ModelEvaluation, place / "evaluation")],
        "blessing": [_artifact(standard_artifacts.ModelBlessing, place / "blessing")],
    }
    properties = {
        "thresholds": json.dumps(["loss<=100"]),
        "against_baseline": json.dumps([]),
        "slices": json.dumps(["with_input", "prompt_length"]),
        "example_splits": json.dumps(["eval"]),
        "module_path": "pipeline.components.evaluator.slices",
    }
    executor = Executor(BaseBeamExecutor.Context(beam_pipeline_args=list(BEAM_ARGUMENTS)))
    started = time.perf_counter()
    executor.Do(inputs, outputs, properties)
    return started, EvaluationRecord.read(place / "evaluation").model_dump()


def _artifact(artifact_type: type[Any], folder: Path) -> Any:
    artifact = artifact_type()
    artifact.uri = str(folder)
    return artifact


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def _in_own_process(options: argparse.Namespace, rows: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.evaluation_scale", "--one", "--rows", str(rows)]
    command += ["--model", str(options.model), "--data", str(options.data)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evaluation_scale", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of a trained model")
    parser.add_argument("--data", type=Path, required=True, help="folder with the evaluation split's files")
    parser.add_argument("--rows", type=int, nargs="+", default=[500, 1000, 2000], help="sizes to measure")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(list(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
