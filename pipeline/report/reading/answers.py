"""Sample answers, and figures of generated ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.report.facts import AnswerFacts, QualityFacts
from pipeline.report.reading.evaluation import conditions
from pipeline.report.reading.files import RunFiles

HEADING = re.compile(r"^### (?:Instruction|Input|Response):\n", re.MULTILINE)
NODE, KEY, FILE = "AnswerQuality", "answers", "answers.json"


def read_quality(files: RunFiles) -> tuple[QualityFacts | None, list[AnswerFacts]]:
    """AnswerQuality's figures and answers; none if the pipeline had no such component, or it did not come to it."""
    report = files.json_of(NODE, KEY, FILE)
    figures = report.get("candidate")
    if not figures:
        return None, []
    before = report.get("baseline") or {}
    quality = QualityFacts(figures, before, tuple(conditions(report)), report.get("rows", 0))
    return quality, [_answer(entry) for entry in report.get("answers", ())]


def _answer(entry: Mapping[str, Any]) -> AnswerFacts:
    before = entry.get("baseline")
    return AnswerFacts(
        question="\n\n".join(filter(None, (entry.get("instruction", ""), entry.get("input", "")))),
        expected=entry.get("expected"),
        answer=(entry.get("candidate") or {}).get("text", ""),
        baseline=before.get("text") if before else None,
    )


def read_training_answers(files: RunFiles, report: Mapping[str, Any], baseline: str | None) -> Iterator[AnswerFacts]:
    """The samples in the Trainer's report, beside those of the last blessed model's to the same prompts.

    Args:
        files: of the run.
        report: the Trainer's.
        baseline: folder of the last blessed model.
    """
    before = _samples(files, Path(baseline, "exports", "training.json")) if baseline else {}
    for sample in report.get("samples") or ():
        if isinstance(sample, dict) and "prompt" in sample:
            yield AnswerFacts(
                question=question_of(sample["prompt"]),
                expected=sample.get("expected"),
                answer=sample.get("response", ""),
                baseline=before.get(sample["prompt"]),
            )


def _samples(files: RunFiles, path: Path) -> dict[str, str]:
    """Responses by prompt; none if the model is gone, which the evaluation's notes say."""
    samples = files.json(path).get("samples") if path.is_file() else None
    return {each["prompt"]: each.get("response", "") for each in samples or () if "prompt" in each}


def question_of(prompt: str) -> str:
    """A prompt without its headings."""
    return HEADING.sub("", prompt).strip()
