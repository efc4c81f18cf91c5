"""The verdict on a model: metrics by slice, thresholds, serving proof."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.evaluation import Comparison, Condition, Slice
from pipeline.report.facts import ConditionFacts, EvaluationFacts, ProofFacts, SliceFacts
from pipeline.report.reading.exports import form_name
from pipeline.report.reading.files import RunFiles

BOUNDS: dict[str, Comparison] = {"upper_bound": "<=", "lower_bound": ">="}


def read_evaluation(files: RunFiles) -> EvaluationFacts | None:
    """The facts; None if the run was not judged, or the verdict is gone."""
    report = files.json_of("Evaluator", "evaluation", "report.json")
    node = files.run.node("Evaluator")
    if not report or node is None:
        return None
    slices = tuple(_slice(row) for row in report.get("slices", ()))
    demanded = json.loads(node.properties.get("eval_config") or "{}")
    used = files.json_of("Evaluator", "evaluation", "eval_config.json").get("eval_config", demanded)
    baseline = report.get("baseline")
    return EvaluationFacts(
        blessed=bool(report.get("blessed")),
        reasons=tuple(report.get("reasons", ())),
        notes=tuple(report.get("notes", ())),
        baseline=baseline["uri"] if baseline else None,
        slices=slices,
        conditions=tuple(conditions(demanded, _camel_to_snake(used), slices)),
    )


def _slice(row: Mapping[str, Any]) -> SliceFacts:
    rows = ", ".join(f"{column}={value}" for column, value in row["slice"].items())
    return SliceFacts(rows, row.get("candidate", {}), row.get("baseline") or {})


def conditions(
    demanded: Mapping[str, Any], used: Mapping[str, Any], slices: tuple[SliceFacts, ...]
) -> Iterator[ConditionFacts]:
    """Every threshold with the figures that it was held against.

    Args:
        demanded: TFMA's EvalConfig as the component was told it, as JSON.
        used: as it was applied: without what could not be compared.
        slices: the metrics.
    """
    applied = set(_thresholds(used))
    by_rows = {row.rows: row for row in slices}
    for condition, is_change in _thresholds(demanded):
        rows = str(condition.rows or "")
        found = by_rows.get(rows, SliceFacts(rows, {}))
        before = found.baseline if is_change and (condition, is_change) in applied else {}
        value, then = found.candidate.get(condition.metric), before.get(condition.metric)
        words = demand_words(condition, is_change=is_change)
        passed = holds(condition, value, before if is_change else None, then)
        yield ConditionFacts(condition.metric, rows, words, value, then, passed)


def _thresholds(config: Mapping[str, Any]) -> Iterator[tuple[Condition, bool]]:
    """Every condition in an EvalConfig, and whether it is on the change against the last blessed model."""
    for spec in config.get("metrics_specs", ()):
        for metric in spec.get("metrics", ()):
            name = json.loads(metric.get("config") or "{}").get("name") or metric.get("class_name", "?")
            for per_slice in metric.get("per_slice_thresholds", ()):
                values = (per_slice.get("slicing_specs") or [{}])[0].get("feature_values", {})
                rows = next((Slice(column, value) for column, value in values.items()), None)
                threshold = per_slice.get("threshold", {})
                for key, comparison in BOUNDS.items():
                    if key in threshold.get("value_threshold", {}):
                        yield Condition(name, comparison, threshold["value_threshold"][key], False, rows), False
                change = threshold.get("change_threshold", {})
                direction: Comparison = "<=" if change.get("direction") == "LOWER_IS_BETTER" else ">="
                for key in ("absolute", "relative"):
                    if key in change:
                        yield Condition(name, direction, change[key], key == "relative", rows), True


def demand_words(condition: Condition, *, is_change: bool) -> str:
    """What is asked for: at most 2.5; at most 5 % more than before."""
    if not is_change:
        return f"{'at most' if condition.comparison == '<=' else 'at least'} {condition.bound:g}"
    allowed = f"{abs(condition.bound) * 100:g} %" if condition.relative else f"{abs(condition.bound):g}"
    return f"at most {allowed} {'more' if condition.comparison == '<=' else 'less'} than before"


def holds(
    condition: Condition, value: float | None, before: Mapping[str, float] | None, then: float | None
) -> bool | None:
    """Whether the condition was met; None if there was nothing to compare with.

    Args:
        condition: what was asked for.
        value: the candidate's figure.
        before: the last blessed model's figures, for a condition on the change.
        then: that of this metric.
    """
    if value is None or not math.isfinite(value):
        return False
    if before is None:
        return value <= condition.bound if condition.comparison == "<=" else value >= condition.bound
    if then is None:
        return None
    change = (value - then) / (abs(then) or math.inf) if condition.relative else value - then
    return change <= condition.bound if condition.comparison == "<=" else change >= condition.bound


def _camel_to_snake(value: Any) -> Any:
    """JSON of a proto with its fields' own names; a map's keys are data and stay."""
    if isinstance(value, dict):
        return {_snake(key): item if key == "featureValues" else _camel_to_snake(item) for key, item in value.items()}
    return [_camel_to_snake(item) for item in value] if isinstance(value, list) else value


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


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
