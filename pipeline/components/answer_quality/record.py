"""The record of AnswerQuality: the answers to a sample of the evaluation split, and figures of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from modules.record import Record, RecordPart
from pipeline.components.artifact_reference import ArtifactReference
from pipeline.components.verdict_field import VerdictField


class RecordedAnswer(RecordPart):
    """An answer of a model, and whether it ended there by itself."""

    text: str
    stopped: bool


class AskedRow(RecordPart):
    """One row that was asked, and the answers; `baseline` is None if there is no model to compare with."""

    instruction: str
    input: str
    expected: str
    candidate: RecordedAnswer
    baseline: RecordedAnswer | None = None


class AnswerRecord(Record):
    """AnswerQuality's findings.

    Attributes:
        rows: asked.
        candidate: the figures of `pipeline.evaluation.ANSWER_METRICS`, by name; None if no row was asked.
        baseline: likewise, of the last blessed model on the same rows; None if there is none.
        reasons: conditions that are missed, in words; the Evaluator's blessing depends on them.
        conditions: what came of each.
        answers: every row with its answers.
        seed: of the sample.
        max_new_tokens: of an answer.
        seconds: that asking took.
        form: exported form that was asked.
        baseline_form: likewise, of the last blessed model.
        baseline_model: the last blessed model; None if there is none.
    """

    FILE: ClassVar[str] = "answers.json"

    rows: int
    candidate: Mapping[str, float] | None
    baseline: Mapping[str, float] | None = None
    reasons: tuple[str, ...] = ()
    conditions: tuple[VerdictField, ...] = ()
    answers: tuple[AskedRow, ...] = ()
    seed: int
    max_new_tokens: int
    seconds: float | None = None
    form: str | None = None
    baseline_form: str | None = None
    baseline_model: ArtifactReference | None = None
