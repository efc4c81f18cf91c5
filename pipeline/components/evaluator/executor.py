"""The Evaluator executor: chooses what to compare with, lets TFX's own evaluate, writes the verdict in words."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import tensorflow_model_analysis as tfma
from tfx.components.evaluator.executor import Executor as TfxExecutor
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils, proto_utils

from pipeline.components.evaluator import verdict
from pipeline.components.evaluator.baseline import model_exists, same_tokenizer
from pipeline.components.evaluator.eval_config import without_per_token_changes
from pipeline.components.published_model.download import PublishedFiles

logger = logging.getLogger(__name__)

REPORT_FILE = "report.json"

Artifacts = dict[str, list[Artifact]]


class Executor(BaseBeamExecutor):
    """Evaluates `model` on the evaluation split and blesses it, or not."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Runs TFX's Evaluator; then writes report.json beside its result and the reasons into the blessing.

        Args:
            input_dict: `examples`, `model`, `schema`, and where there is one `baseline_model`.
            output_dict: `evaluation` and `blessing`. The blessing's custom property `reason` says why a model
                is not blessed.
            exec_properties: the parameters of `EvaluatorSpec`.
        """
        started = time.monotonic()
        baseline, notes = _usable_baseline(input_dict)
        config = tfma.EvalConfig()
        proto_utils.json_to_proto(exec_properties["eval_config"], config)
        if baseline is not None and not same_tokenizer(input_dict["model"][0], baseline):
            config, dropped = without_per_token_changes(config)
            if dropped:
                notes.append(f"the last blessed model has another tokenizer, so not compared: {', '.join(dropped)}")
        TfxExecutor(self._context).Do(
            {**input_dict, "baseline_model": [baseline] if baseline is not None else []},
            output_dict,
            {**exec_properties, "eval_config": proto_utils.proto_to_json(config)},
        )
        output_path = artifact_utils.get_single_uri(output_dict["evaluation"])
        rows = verdict.sliced_metrics(output_path)
        reasons = verdict.reasons(output_path, rows)
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        if reasons:
            blessing.set_string_custom_property("reason", "; ".join(reasons))
        report = {
            "blessed": not reasons,
            "reasons": reasons,
            "notes": notes,
            "baseline": None if baseline is None else {"id": baseline.id, "uri": baseline.uri},
            "slices": rows,
            "seconds": time.monotonic() - started,
        }
        logger.info("Evaluation: %s", report)
        io_utils.write_string_file(os.path.join(output_path, REPORT_FILE), json.dumps(report, indent=2))  # noqa: PTH118


def _absence(model: Artifact) -> str:
    published = PublishedFiles.read(Path(model.uri))
    return published.reason if published and published.reason else f"the last blessed model is gone ({model.uri})"


def _usable_baseline(input_dict: Artifacts) -> tuple[Artifact | None, list[str]]:
    """The model to compare with, if there is one, and what is to be said about it."""
    given = input_dict.get("baseline_model") or []
    if not given:
        return None, ["no model was blessed before, so there was nothing to compare with"]
    if not model_exists(given[0]):
        return None, [f"{_absence(given[0])}, so there was nothing to compare with"]
    return given[0], []
