"""AnswerQuality on real models: what it asks, what it writes, and how the Evaluator's blessing follows it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import standard_artifacts
from tokenizers import Tokenizer

from data.tfrecords import Row
from modules.exports.ctranslate2 import FLOAT32
from modules.exports.form import ExportForm
from modules.exports.saved_model import SAVED_MODEL
from pipeline.components.answer_quality.answering import Answer, ask, form_to_ask
from pipeline.components.answer_quality.artifact import AnswerSample
from pipeline.components.answer_quality.executor import Executor
from tests.evaluation.evaluating import artifact, evaluate, examples_of
from tests.publishing.trained_model import ANSWER

pytestmark = [pytest.mark.e2e, pytest.mark.arithmetic]

ASKED = Row("Name the capital of France.", "", ANSWER)


@pytest.fixture(scope="module")
def trained(trained_model: Path) -> Path:
    return trained_model


def answer_sample(
    folder: Path,
    rows: Sequence[Row],
    model: Path,
    *,
    baseline: Path | None = None,
    thresholds: Sequence[str] = (),
    against_baseline: Sequence[str] = (),
) -> Any:
    """The artifact that AnswerQuality writes."""
    inputs = {
        "examples": [examples_of(folder / "asked", rows)],
        "model": [artifact(standard_artifacts.Model, model, number=2)],
    }
    if baseline is not None:
        inputs["baseline_model"] = [artifact(standard_artifacts.Model, baseline, number=1)]
    outputs = {"answers": [artifact(AnswerSample, folder / "answers")]}
    properties = {
        "rows": 8,
        "seed": 42,
        "thresholds": json.dumps(list(thresholds)),
        "against_baseline": json.dumps(list(against_baseline)),
    }
    Executor(BaseExecutor.Context()).Do(inputs, outputs, properties)
    return outputs["answers"][0]


def report_of(sample: Any) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((Path(sample.uri) / "answers.json").read_text(encoding="utf-8"))
    return report


@pytest.mark.parametrize("form", [FLOAT32, SAVED_MODEL], ids=lambda form: form.name)
def test_an_answer_ends_by_itself_if_one_token_more_would_not_make_it_longer(trained: Path, form: ExportForm) -> None:
    tokenizer = Tokenizer.from_file(str(trained / "exports/transformers/tokenizer.json"))
    tokens = tokenizer.encode(ANSWER).ids

    def asked(max_new_tokens: int) -> list[Answer]:
        return ask(trained, [ASKED], form=form, max_new_tokens=max_new_tokens)

    assert asked(30) == [Answer(ANSWER, stopped=True)]
    assert asked(len(tokens)) == [Answer(ANSWER, stopped=True)]
    assert asked(len(tokens) - 1) == [Answer(tokenizer.decode(tokens[:-1]), stopped=False)]
    assert ask(trained, [], form=form, max_new_tokens=30) == []


def test_both_forms_give_the_same_answers_to_rows_of_any_length(model_folder: Path) -> None:
    rows = [
        Row(text, given, "")
        for text in ("Sort.", "é 🙂" * 9, "a" * 90, "")
        for given in ("", "pear, apple <|endoftext|>")
    ]
    by_form = [ask(model_folder, rows, form=form, max_new_tokens=6) for form in (FLOAT32, SAVED_MODEL)]

    assert by_form[0] == by_form[1]
    assert {answer.stopped for answer in by_form[0]} == {False}


def test_the_cheapest_form_in_float32_is_asked(trained: Path, tmp_path: Path) -> None:
    assert form_to_ask(trained) is FLOAT32
    assert form_to_ask(tmp_path) is SAVED_MODEL


def test_the_report_has_the_figures_and_every_answer_beside_the_baselines(
    trained: Path, model_folder: Path, tmp_path: Path
) -> None:
    other = Row("Name the capital of France.", "", "Rome")
    sample = answer_sample(
        tmp_path, [ASKED, other], trained, baseline=model_folder, thresholds=["exact_match>=0.9", "stopped>=1"]
    )
    report = report_of(sample)
    by_expected = {answer["expected"]: answer for answer in report["answers"]}

    assert (report["rows"], report["seed"], report["max_new_tokens"]) == (2, 42, 24)
    assert (report["form"], report["baseline_form"]) == ("ctranslate2_float32", "ctranslate2_float32")
    assert report["candidate"]["exact_match"] == 0.5
    assert report["candidate"]["stopped"] == 1.0
    assert report["candidate"]["answer_characters"] == len(ANSWER)
    assert report["baseline"]["exact_match"] == 0.0
    assert report["baseline_model"] == {"id": 1, "uri": str(model_folder)}
    assert report["reasons"] == ["exact_match is 0.5, and must be at least 0.9"]
    assert by_expected["Rome"] == {
        "instruction": "Name the capital of France.",
        "input": "",
        "expected": "Rome",
        "candidate": {"text": ANSWER, "stopped": True},
        "baseline": by_expected[ANSWER]["baseline"],
    }


def test_a_model_whose_answers_got_worse_is_not_blessed_whatever_its_scores(
    trained: Path, model_folder: Path, tmp_path: Path
) -> None:
    sample = answer_sample(tmp_path, [ASKED], model_folder, baseline=trained, against_baseline=["exact_match>=-0.5"])
    found = evaluate(tmp_path, [ASKED], model_folder, thresholds=["loss<=1000"], answers=sample)
    reason = "exact_match is 0, 1 less than the last blessed model's 1, and at most 0.5 is allowed"

    assert not found.blessed
    assert found.report["reasons"] == [reason]
    assert found.blessing.get_string_custom_property("reason") == reason
    assert [path.name for path in Path(found.blessing.uri).iterdir()] == ["NOT_BLESSED"]


def test_answers_that_satisfy_their_conditions_leave_the_verdict_to_the_scores(trained: Path, tmp_path: Path) -> None:
    sample = answer_sample(tmp_path, [ASKED], trained, thresholds=["exact_match>=1", "rouge_l>=1"])

    assert evaluate(tmp_path, [ASKED], trained, answers=sample).blessed


def test_a_baseline_whose_files_are_gone_gives_no_answers(trained: Path, tmp_path: Path) -> None:
    report = report_of(answer_sample(tmp_path, [ASKED], trained, baseline=tmp_path / "gone"))

    assert report["baseline"] is report["baseline_model"] is None
    assert [answer["baseline"] for answer in report["answers"]] == [None]


def test_an_evaluation_split_without_rows_misses_every_threshold(trained: Path, tmp_path: Path) -> None:
    report = report_of(answer_sample(tmp_path, [], trained, thresholds=["exact_match>=0.1"]))

    assert (report["rows"], report["candidate"], report["answers"]) == (0, None, [])
    assert report["reasons"] == ["no answer was asked for, because the evaluation split has no rows"]
