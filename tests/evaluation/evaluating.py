"""Runs the Evaluator's executor on artifacts made by hand, with the real Beam and the real TFMA."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils, standard_artifacts

from data.tfrecords import Row, write_examples
from pipeline.beam import BEAM_ARGUMENTS
from pipeline.components.evaluator.executor import Executor
from pipeline.components.evaluator.record import EvaluationRecord

SCHEMA = Path(__file__).parents[2] / "pipeline/schema/alpaca.pbtxt"


class Evaluated(NamedTuple):
    """What the Evaluator left behind."""

    blessed: bool
    report: dict[str, Any]
    blessing: Any


def evaluate(
    folder: Path,
    rows: Sequence[Row],
    model_folder: Path,
    *,
    baseline_folder: Path | None = None,
    thresholds: Sequence[str] = ("loss<=100",),
    against_baseline: Sequence[str] = ("bits_per_byte<=+0.02",),
    slices: Sequence[str] = ("with_input", "prompt_length"),
    baseline_blessing: Any = None,
    answers: Any = None,
) -> Evaluated:
    """Judges the model in `model_folder` by `rows`."""
    outputs = {
        "evaluation": [artifact(standard_artifacts.ModelEvaluation, folder / "evaluation")],
        "blessing": [artifact(standard_artifacts.ModelBlessing, folder / "blessing")],
    }
    inputs = {
        "examples": [examples_of(folder / "examples", rows)],
        "schema": [_schema(folder / "schema")],
        "model": [artifact(standard_artifacts.Model, model_folder, number=2)],
    }
    if baseline_folder is not None:
        inputs["baseline_model"] = [artifact(standard_artifacts.Model, baseline_folder, number=1)]
    given = {"baseline_blessing": baseline_blessing, "answers": answers}
    inputs |= {key: [one] for key, one in given.items() if one is not None}
    properties = {
        "thresholds": json.dumps(list(thresholds)),
        "against_baseline": json.dumps(list(against_baseline)),
        "slices": json.dumps(list(slices)),
        "example_splits": json.dumps(["eval"]),
        "module_path": "pipeline.components.evaluator.slices",
    }
    context = BaseBeamExecutor.Context(beam_pipeline_args=list(BEAM_ARGUMENTS))
    Executor(context).Do(inputs, outputs, properties)
    report = json.loads((folder / "evaluation" / EvaluationRecord.FILE).read_text(encoding="utf-8"))
    blessing = outputs["blessing"][0]
    return Evaluated(blessing.get_int_custom_property("blessed") == 1, report, blessing)


def artifact(kind: type[Any], folder: Path, *, number: int = 0) -> Any:
    """An artifact of that class whose files are in `folder`."""
    artifact = kind()
    artifact.uri = str(folder)
    artifact.id = number
    return artifact


def examples_of(folder: Path, rows: Sequence[Row]) -> Any:
    """Examples with the same `rows` in both splits."""
    for split in ("train", "eval"):
        (folder / f"Split-{split}").mkdir(parents=True)
        write_examples(folder / f"Split-{split}" / "data_tfrecord-00000-of-00001", rows)
    examples = artifact(standard_artifacts.Examples, folder)
    examples.split_names = artifact_utils.encode_split_names(["train", "eval"])
    return examples


def _schema(folder: Path) -> Any:
    folder.mkdir()
    shutil.copy(SCHEMA, folder / "schema.pbtxt")
    return artifact(standard_artifacts.Schema, folder)
