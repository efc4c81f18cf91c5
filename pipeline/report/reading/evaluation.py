"""The verdict on a model: metrics by slice, thresholds, serving proof."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.components.evaluator.record import EvaluationRecord, SliceFigures
from pipeline.components.serving_proof.record import FormProof, ProofRecord
from pipeline.evaluation import Verdict
from pipeline.report.facts import ConditionFacts, EvaluationFacts, ProofFacts, SliceFacts
from pipeline.report.reading.exports import form_name
from pipeline.report.reading.files import RunFiles


def read_evaluation(files: RunFiles) -> EvaluationFacts | None:
    """Returns the facts; None if the run was not judged, or the verdict is gone."""
    record = files.record(EvaluationRecord, "Evaluator", "evaluation")
    if record is None:
        return None
    return EvaluationFacts(
        blessed=record.blessed,
        reasons=record.reasons,
        notes=record.notes,
        baseline=record.baseline.uri if record.baseline else None,
        slices=tuple(map(_slice, record.slices)),
        conditions=tuple(conditions(record.conditions)),
    )


def _slice(row: SliceFigures) -> SliceFacts:
    return SliceFacts(row.name, row.candidate, row.baseline or {})


def conditions(verdicts: Iterable[Verdict]) -> Iterator[ConditionFacts]:
    """Yields every condition with the figures that it was held against, as the component that judged wrote it down."""
    for condition, value, before, passed in verdicts:
        yield ConditionFacts(condition.metric, str(condition.rows or ""), condition.demand, value, before, passed)


def read_proof(files: RunFiles) -> Iterator[ProofFacts]:
    """Yields how each exported form did when it was asked in a process of its own."""
    record = files.record(ProofRecord, "ServingProof", "blessing")
    if record:
        yield from (_proof(form, result) for form, result in record.forms.items())


def _proof(form: str, result: FormProof) -> ProofFacts:
    return ProofFacts(
        form=form_name(form),
        requests=result.requests,
        disagreements=len(result.disagreements),
        tolerance=result.tolerance,
        same_answers=result.same_answers,
        largest=result.largest,
        error=result.error or result.saturation,
        arithmetic=result.arithmetic,
    )
