"""Records: what is written is read back, and what cannot be read is refused with a way out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import ValidationError

from modules.record import Record, RecordError, RecordPart
from modules.training_record import SampleRecord, TrainingRecord

TRAINING = {
    "parameters": 4,
    "steps": 2,
    "train_loss": 1.5,
    "eval_loss": 2,
    "eval_token_accuracy": 0.5,
    "seconds": 3.0,
    "supervised_tokens_per_second": 7.0,
    "data": {"train": {"rows_read": 3, "rows_dropped": 0, "pad_fraction": 0.25}},
    "tuned": {"training.learning_rate": 0.1},
    "samples": [{"prompt": "p", "response": "r", "expected": "é"}],
}


class Part(RecordPart):
    words: tuple[str, ...] = ()


class Found(Record):
    FILE: ClassVar[str] = "found.json"
    FORMAT: ClassVar[int] = 2

    figures: Mapping[str, float]
    part: Part = Part()


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = Found(figures={"loss": 0.5, "perplexity": math.inf}, part=Part(words=("ä", "b")))

    record.write(tmp_path / "artifact")

    assert Found.read(tmp_path / "artifact") == record
    written = json.loads((tmp_path / "artifact" / "found.json").read_text(encoding="utf-8"))
    assert written == {
        "format": 2, "figures": {"loss": 0.5, "perplexity": math.inf}, "part": {"words": ["ä", "b"]}
    }  # fmt: skip


def test_a_record_and_its_parts_cannot_be_changed() -> None:
    record = Found(figures={})

    with pytest.raises(ValidationError, match="frozen"):
        record.part = Part()  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        record.part.words = ("x",)  # type: ignore[misc]


def test_an_absent_record_is_none_to_whoever_looks_for_it(tmp_path: Path) -> None:
    assert Found.find(tmp_path) is None
    with pytest.raises(FileNotFoundError, match=r"found\.json"):
        Found.read(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"format": 3, "figures": {}}', "has a format that this version knows, 1 to 2"),
        ('{"format": "2", "figures": {}}', "has format '2'"),
        ("{", "is not readable as JSON"),
        ("[]", "holds no JSON object, but a list"),
        ('{"format": 2}', "does not hold what a Found has: figures: Field required"),
        ('{"figures": {}, "part": {"word": 1}}', "part.word: Extra inputs are not permitted"),
    ],
)
def test_what_is_no_record_of_a_known_format_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "found.json").write_text(text, encoding="utf-8")

    with pytest.raises(RecordError) as refused:
        Found.find(tmp_path)

    message = str(refused.value).replace("must have a format", "has a format")
    assert words in message
    assert f"Received: {tmp_path}/found.json " in message


def test_the_published_record_is_written_as_it_was_given_without_a_format(tmp_path: Path) -> None:
    given = json.dumps(TRAINING, indent=2, ensure_ascii=False) + "\n"

    TrainingRecord.model_validate(TRAINING).write(tmp_path)

    assert (tmp_path / "training.json").read_text(encoding="utf-8") == given
    assert SampleRecord.read(tmp_path).samples == TrainingRecord.read(tmp_path).samples
