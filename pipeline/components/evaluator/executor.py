"""The Evaluator executor: chooses what to compare with, lets TFX's own measure, judges, and says why."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Sequence
from typing import Any

from tfx.components.evaluator import constants
from tfx.components.evaluator.executor import Executor as TfxExecutor
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils, proto_utils

from pipeline.components.answer_quality.record import AnswerRecord
from pipeline.components.artifact_reference import ArtifactReference
from pipeline.components.evaluator.baseline import Baseline, same_tokenizer, usable_baseline
from pipeline.components.evaluator.eval_config import make_eval_config
from pipeline.components.evaluator.record import EvaluationRecord, SliceFigures
from pipeline.components.evaluator.verdict import (
    CANDIDATE,
    Row,
    figures,
    judge_scores,
    needs_same_tokenizer,
    sliced_metrics,
    unmeasurable_reason,
)
from pipeline.evaluation import Condition, Verdict, parse_all, reasons_against

logger = logging.getLogger(__name__)

Artifacts = dict[str, list[Artifact]]


class Executor(BaseBeamExecutor):
    """Evaluates `model` on the evaluation split and blesses it, or not."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Has TFX's Evaluator measure; then judges, blesses or not, and writes the record beside TFMA's result.

        Args:
            input_dict: `examples`, `model`, `schema`, and where there are any `baseline_model`, `baseline_blessing`,
                `answers`.
            output_dict: `evaluation` and `blessing`. The blessing's custom property `reason` says why a model
                is not blessed.
            exec_properties: the parameters of `EvaluatorSpec`.
        """
        started = time.monotonic()
        conditions = _conditions(exec_properties)
        config = make_eval_config(conditions, json.loads(exec_properties["slices"]))
        baseline = usable_baseline(input_dict.get("baseline_model") or [], input_dict.get("baseline_blessing") or [])
        model = artifact_utils.get_single_instance(input_dict["model"])
        TfxExecutor(self._context).Do(
            {**input_dict, "baseline_model": [baseline.model] if baseline.model else []},
            output_dict,
            {**exec_properties, "eval_config": proto_utils.proto_to_json(config)},
        )
        output_path = artifact_utils.get_single_uri(output_dict["evaluation"])
        found = _judge(conditions, sliced_metrics(output_path), model, baseline, input_dict.get("answers") or [])
        _bless(artifact_utils.get_single_instance(output_dict["blessing"]), model, baseline.model, found.reasons)
        record = found.model_copy(update={"seconds": time.monotonic() - started})
        logger.info("Evaluation: %s", record)
        record.write(output_path)


def _judge(
    conditions: list[Condition], rows: list[Row], model: Artifact, baseline: Baseline, answers: list[Artifact]
) -> EvaluationRecord:
    """Judges the model; returns the record but for the time that it took."""
    before = baseline.model
    same = before is None or same_tokenizer(model, before)
    verdicts = judge_scores(conditions, rows, has_baseline=before is not None, same_tokenizer=same)
    reasons = _reasons(verdicts, rows) + _answer_reasons(answers)
    notes = baseline.notes + ([] if same else _notes(conditions))
    (reasons if any(condition.is_change for condition in conditions) else notes).extend(baseline.refusals)
    return EvaluationRecord(
        blessed=not reasons,
        reasons=tuple(reasons),
        notes=tuple(notes),
        baseline=ArtifactReference.of(before) if before else None,
        conditions=tuple(verdicts),
        slices=tuple(SliceFigures(**row) for row in rows),
    )


def _conditions(exec_properties: dict[str, Any]) -> list[Condition]:
    """Returns what the configuration asks of a model's scores, and of their change."""
    thresholds = parse_all(json.loads(exec_properties["thresholds"]), is_change=False)
    return thresholds + parse_all(json.loads(exec_properties["against_baseline"]), is_change=True)


def _notes(conditions: list[Condition]) -> list[str]:
    """Returns what is to be said where the two models have different tokenizers."""
    names = ", ".join(dict.fromkeys(condition.metric for condition in conditions if needs_same_tokenizer(condition)))
    return [f"the last blessed model has another tokenizer, so not compared: {names}"] if names else []


def _reasons(verdicts: list[Verdict], rows: list[Row]) -> list[str]:
    nothing = unmeasurable_reason(figures(rows, CANDIDATE)[None])
    return [nothing] if nothing else reasons_against(verdicts)


def _answer_reasons(answers: list[Artifact]) -> list[str]:
    """Returns what AnswerQuality has against the model."""
    return list(AnswerRecord.read(answers[0].uri).reasons) if answers else []


def _bless(blessing: Artifact, model: Artifact, baseline: Artifact | None, reasons: Sequence[str]) -> None:
    """Writes the verdict as TFX's Evaluator does, marker file and properties; without thresholds that one does not."""
    blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    if baseline:
        blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, baseline.uri)
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, baseline.id)
    if reasons:
        blessing.set_string_custom_property("reason", "; ".join(reasons))
    name, blessed = (
        (constants.NOT_BLESSED_FILE_NAME, constants.NOT_BLESSED_VALUE)
        if reasons
        else (constants.BLESSED_FILE_NAME, constants.BLESSED_VALUE)
    )
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, blessed)
    io_utils.write_string_file(os.path.join(blessing.uri, name), "")  # noqa: PTH118 - a URI
