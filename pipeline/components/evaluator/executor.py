"""The Evaluator executor: chooses what to compare with, lets TFX's own evaluate, writes the verdict in words."""

from __future__ import annotations

import json
import logging
import os
import time
from typing import Any

import tensorflow_model_analysis as tfma
from tfx.components.evaluator import constants
from tfx.components.evaluator.executor import Executor as TfxExecutor
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils, proto_utils

from pipeline.components.answer_quality.executor import REPORT_FILE as ANSWERS_FILE
from pipeline.components.evaluator import verdict
from pipeline.components.evaluator.baseline import same_tokenizer, usable_baseline
from pipeline.components.evaluator.eval_config import compares, without_per_token_changes

logger = logging.getLogger(__name__)

REPORT_FILE = "report.json"

Artifacts = dict[str, list[Artifact]]


class Executor(BaseBeamExecutor):
    """Evaluates `model` on the evaluation split and blesses it, or not."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Runs TFX's Evaluator; then writes report.json beside its result and the reasons into the blessing.

        Args:
            input_dict: `examples`, `model`, `schema`, and where there are any `baseline_model`, `baseline_blessing`,
                `answers`.
            output_dict: `evaluation` and `blessing`. The blessing's custom property `reason` says why a model
                is not blessed.
            exec_properties: the parameters of `EvaluatorSpec`.
        """
        started = time.monotonic()
        baseline = usable_baseline(input_dict.get("baseline_model") or [], input_dict.get("baseline_blessing") or [])
        config, notes = _eval_config(exec_properties["eval_config"], input_dict["model"][0], baseline.model)
        TfxExecutor(self._context).Do(
            {**input_dict, "baseline_model": [baseline.model] if baseline.model else []},
            output_dict,
            {**exec_properties, "eval_config": proto_utils.proto_to_json(config)},
        )
        output_path = artifact_utils.get_single_uri(output_dict["evaluation"])
        rows = verdict.sliced_metrics(output_path)
        reasons = verdict.reasons(output_path, rows) + _answer_reasons(input_dict.get("answers") or [])
        if compares(config):
            reasons += baseline.refusals
        else:
            notes += baseline.refusals
        if reasons:
            _refuse(artifact_utils.get_single_instance(output_dict["blessing"]), reasons)
        report = {
            "blessed": not reasons,
            "reasons": reasons,
            "notes": baseline.notes + notes,
            "baseline": {"id": baseline.model.id, "uri": baseline.model.uri} if baseline.model else None,
            "slices": rows,
            "seconds": time.monotonic() - started,
        }
        logger.info("Evaluation: %s", report)
        io_utils.write_string_file(os.path.join(output_path, REPORT_FILE), json.dumps(report, indent=2))  # noqa: PTH118


def _eval_config(text: str, model: Artifact, baseline: Artifact | None) -> tuple[tfma.EvalConfig, list[str]]:
    """What TFMA is to do, without what cannot be compared, and what is to be said about that."""
    config = tfma.EvalConfig()
    proto_utils.json_to_proto(text, config)
    if baseline is None or same_tokenizer(model, baseline):
        return config, []
    config, dropped = without_per_token_changes(config)
    if not dropped:
        return config, []
    return config, [f"the last blessed model has another tokenizer, so not compared: {', '.join(dropped)}"]


def _answer_reasons(answers: list[Artifact]) -> list[str]:
    """What AnswerQuality has against the model."""
    if not answers:
        return []
    with fileio.open(os.path.join(answers[0].uri, ANSWERS_FILE), "r") as file:  # noqa: PTH118 - a URI
        return list(json.loads(file.read())["reasons"])


def _refuse(blessing: Artifact, reasons: list[str]) -> None:
    """Turns TFX's verdict round, if it was another: marker file and properties."""
    blessing.set_string_custom_property("reason", "; ".join(reasons))
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, constants.NOT_BLESSED_VALUE)
    yes, no = (
        os.path.join(blessing.uri, name)  # noqa: PTH118 - a URI
        for name in (constants.BLESSED_FILE_NAME, constants.NOT_BLESSED_FILE_NAME)
    )
    if fileio.exists(yes):
        fileio.remove(yes)
    io_utils.write_string_file(no, "")
