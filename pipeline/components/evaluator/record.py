"""The record of the Evaluator: the figures of a model by slice, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from modules.record import Record, RecordPart
from pipeline.components.artifact_reference import ArtifactReference
from pipeline.components.verdict_field import VerdictField


class SliceFigures(RecordPart):
    """The metrics of some rows of the evaluation split.

    Attributes:
        slice: column and value that the rows have in common; empty for all rows.
        candidate: the model's metrics by name, see `pipeline.evaluation.METRICS`.
        baseline: the last blessed model's; None if there is none.
    """

    slice: Mapping[str, str]
    candidate: Mapping[str, float]
    baseline: Mapping[str, float] | None = None

    @property
    def name(self) -> str:
        """Returns the slice as the configuration writes it; empty for all rows."""
        return ", ".join(f"{column}={value}" for column, value in self.slice.items())


class EvaluationRecord(Record):
    """The Evaluator's findings.

    Attributes:
        blessed: whether the model may be published.
        reasons: what speaks against it, in words.
        notes: what was not compared, and why.
        baseline: the last blessed model; None if there is none.
        conditions: what came of each.
        slices: the metrics, all rows first.
        seconds: that the evaluation took.
    """

    FILE: ClassVar[str] = "report.json"

    blessed: bool
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    baseline: ArtifactReference | None = None
    conditions: tuple[VerdictField, ...] = ()
    slices: tuple[SliceFigures, ...]
    seconds: float | None = None

    @property
    def overall(self) -> SliceFigures:
        """Returns the metrics over all rows."""
        return next(row for row in self.slices if not row.slice)
