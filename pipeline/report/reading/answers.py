"""Sample answers, and figures of generated ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from modules.training_record import Sample, SampleRecord
from pipeline.components.answer_quality.record import AnswerRecord, AskedRow
from pipeline.report.facts import AnswerFacts, QualityFacts
from pipeline.report.reading.evaluation import conditions
from pipeline.report.reading.exports import LABELS
from pipeline.report.reading.files import RunFiles

HEADING = re.compile(r"^### (?:Instruction|Input|Response):\n", re.MULTILINE)


def read_quality(files: RunFiles) -> tuple[QualityFacts | None, list[AnswerFacts]]:
    """Returns AnswerQuality's figures and answers; none if the run has no such component, or did not come to it."""
    record = files.record(AnswerRecord, "AnswerQuality", "answers")
    if record is None or not record.candidate:
        return None, []
    quality = QualityFacts(
        record.candidate,
        record.baseline or {},
        tuple(conditions(record.conditions)),
        record.rows,
        form=LABELS.get(record.form or "", ""),
    )
    return quality, [_answer(row) for row in record.answers]


def _answer(row: AskedRow) -> AnswerFacts:
    return AnswerFacts(
        question="\n\n".join(filter(None, (row.instruction, row.input))),
        expected=row.expected,
        answer=row.candidate.text,
        baseline=row.baseline.text if row.baseline else None,
    )


def read_training_answers(files: RunFiles, samples: Iterable[Sample], baseline: str | None) -> Iterator[AnswerFacts]:
    """Yields the Trainer's samples, beside those of the last blessed model's to the same prompts.

    Args:
        files: of the run.
        samples: the Trainer's.
        baseline: folder of the last blessed model.
    """
    before = _responses(files, Path(baseline, "exports")) if baseline else {}
    for sample in samples:
        question = question_of(sample.prompt)
        yield AnswerFacts(question, sample.expected, sample.response, before.get(sample.prompt))


def _responses(files: RunFiles, exports: Path) -> dict[str, str]:
    """Returns responses by prompt; none if the model is gone, which the evaluation's notes say."""
    if not Path(SampleRecord.path(exports)).is_file():
        return {}
    record = files.record_in(exports, SampleRecord)
    return {each.prompt: each.response for each in record.samples} if record else {}


def question_of(prompt: str) -> str:
    """Returns a prompt without its headings."""
    return HEADING.sub("", prompt).strip()
