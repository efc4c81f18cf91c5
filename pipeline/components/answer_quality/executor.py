"""The AnswerQuality executor: draws the sample, asks both models, writes the record."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils

from data.tfrecords import Row
from pipeline.components.answer_quality.answering import Answer, ask, form_to_ask
from pipeline.components.answer_quality.figures import measure
from pipeline.components.answer_quality.record import AnswerRecord, AskedRow, RecordedAnswer
from pipeline.components.answer_quality.sample import sample_rows
from pipeline.components.artifact_reference import ArtifactReference
from pipeline.components.evaluator.baseline import model_exists
from pipeline.evaluation import judge, parse_all, reasons_against

SPLIT = "eval"
PROMPT_FILE = os.path.join("exports", "prompt.json")  # noqa: PTH118 - part of a URI

Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Asks `model`, and `baseline_model` if there is one, the same rows."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Writes the record of what was asked and answered.

        Args:
            input_dict: `examples`, `model`, and where there is one `baseline_model`.
            output_dict: `answers`.
            exec_properties: the parameters of `AnswerQualitySpec`.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        started = time.monotonic()
        model = artifact_utils.get_single_instance(input_dict["model"])
        before = next((model for model in input_dict.get("baseline_model") or [] if model_exists(model)), None)
        rows = sample_rows(
            _records(artifact_utils.get_single_instance(input_dict["examples"])),
            rows=exec_properties["rows"],
            seed=exec_properties["seed"],
        )
        limit = _max_new_tokens(model)
        forms = {each.uri: form_to_ask(Path(each.uri)) for each in (model, before) if each}

        def ask_model(asked: Artifact) -> list[Answer]:
            return ask(Path(asked.uri), rows, form=forms[asked.uri], max_new_tokens=limit)

        found = make_record(
            rows,
            ask_model(model),
            ask_model(before) if before else None,
            thresholds=json.loads(exec_properties["thresholds"]),
            against_baseline=json.loads(exec_properties["against_baseline"]),
            seed=exec_properties["seed"],
            max_new_tokens=limit,
        )
        reference = ArtifactReference.of(before) if before else None
        told = {
            "seconds": time.monotonic() - started,
            "form": forms[model.uri].name,
            "baseline_form": forms[before.uri].name if before else None,
            "baseline_model": reference,
        }
        found.model_copy(update=told).write(artifact_utils.get_single_uri(output_dict["answers"]))


def make_record(
    rows: Sequence[Row],
    answers: Sequence[Answer],
    before: Sequence[Answer] | None,
    *,
    thresholds: Sequence[str],
    against_baseline: Sequence[str],
    seed: int,
    max_new_tokens: int,
) -> AnswerRecord:
    """Returns figures, what came of every condition, and every answer; the rest is left out.

    Args:
        rows: what was asked.
        answers: the candidate's, one per row.
        before: the last blessed model's; None if there is none.
        thresholds: conditions on the figures, as the configuration writes them.
        against_baseline: conditions on their change.
        seed: of the sample.
        max_new_tokens: of an answer.
    """
    expected = [row.output for row in rows]
    figures = measure(answers, expected) if rows else None
    figures_before = measure(before, expected) if rows and before is not None else None
    asked = [*parse_all(thresholds, is_change=False), *parse_all(against_baseline, is_change=True)] if figures else []
    verdicts = judge(asked, {None: figures or {}}, {None: figures_before} if figures_before else None)
    reasons = reasons_against(verdicts)
    if figures is None and thresholds:
        reasons.append("no answer was asked for, because the evaluation split has no rows")
    others = before if before is not None else [None] * len(rows)
    return AnswerRecord(
        rows=len(rows),
        candidate=figures,
        baseline=figures_before,
        reasons=tuple(reasons),
        conditions=tuple(verdicts),
        answers=tuple(_asked_row(row, now, then) for row, now, then in zip(rows, answers, others, strict=True)),
        seed=seed,
        max_new_tokens=max_new_tokens,
    )


def _asked_row(row: Row, answer: Answer, before: Answer | None) -> AskedRow:
    return AskedRow(
        instruction=row.instruction,
        input=row.input,
        expected=row.output,
        candidate=_recorded(answer),
        baseline=_recorded(before) if before else None,
    )


def _recorded(answer: Answer) -> RecordedAnswer:
    return RecordedAnswer(text=answer.text, stopped=answer.stopped)


def _max_new_tokens(model: Artifact) -> int:
    """Returns the model's own limit, less where the context could not hold one token more."""
    with fileio.open(os.path.join(model.uri, PROMPT_FILE), "r") as file:  # noqa: PTH118
        spec = json.loads(file.read())
    return max(1, min(spec["generation"]["max_new_tokens"], spec["context_length"] - 2))


def _records(examples: Artifact) -> Iterator[bytes]:
    import tensorflow as tf

    pattern = os.path.join(artifact_utils.get_split_uri([examples], SPLIT), "*")  # noqa: PTH118
    for path in sorted(tf.io.gfile.glob(pattern)):
        compression = "GZIP" if path.endswith(".gz") else ""
        yield from tf.data.TFRecordDataset(path, compression_type=compression).as_numpy_iterator()
