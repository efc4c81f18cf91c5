"""The verdict on a model: metrics by slice, thresholds, serving proof."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.evaluation import Verdict
from pipeline.report.facts import ConditionFacts, EvaluationFacts, ProofFacts, SliceFacts
from pipeline.report.reading.exports import form_name
from pipeline.report.reading.files import RunFiles


def read_evaluation(files: RunFiles) -> EvaluationFacts | None:
    """The facts; None if the run was not judged, or the verdict is gone."""
    report = files.json_of("Evaluator", "evaluation", "report.json")
    if not report:
        return None
    baseline = report.get("baseline")
    return EvaluationFacts(
        blessed=bool(report.get("blessed")),
        reasons=tuple(report.get("reasons", ())),
        notes=tuple(report.get("notes", ())),
        baseline=baseline["uri"] if baseline else None,
        slices=tuple(_slice(row) for row in report.get("slices", ())),
        conditions=tuple(conditions(report)),
    )


def _slice(row: Mapping[str, Any]) -> SliceFacts:
    rows = ", ".join(f"{column}={value}" for column, value in row["slice"].items())
    return SliceFacts(rows, row.get("candidate", {}), row.get("baseline") or {})


def conditions(report: Mapping[str, Any]) -> Iterator[ConditionFacts]:
    """Every condition with the figures that it was held against, as the component that judged wrote it down."""
    for kept in report.get("conditions", ()):
        condition, value, before, passed = Verdict.from_dict(kept)
        yield ConditionFacts(condition.metric, str(condition.rows or ""), condition.demand, value, before, passed)


def read_proof(files: RunFiles) -> Iterator[ProofFacts]:
    """How each exported form did when it was asked in a process of its own."""
    report = files.json_of("ServingProof", "blessing", "report.json")
    for form, result in report.items():
        if isinstance(result, dict) and ("requests" in result or "error" in result):
            yield ProofFacts(
                form=form_name(form),
                requests=result.get("requests", 0),
                disagreements=len(result.get("disagreements", ())),
                tolerance=result.get("tolerance", ""),
                same_answers=result.get("same_answers", result.get("same_choices")),
                largest=result.get("largest"),
                error=result.get("error") or result.get("saturation"),
                arithmetic=result.get("arithmetic"),
            )
