"""The Evaluator on a real model: its figures against an independent computation, and its verdicts."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_hub.models import GPT2Backbone
from tfx.types import standard_artifacts
from tokenizers import Tokenizer

from data.tfrecords import Row
from modules.models.gpt2.tokenizer import train_tokenizer
from pipeline.components.evaluator.baseline import PreviousBlessedModelStrategy
from tests.evaluation.conftest import GENERATION
from tests.evaluation.evaluating import Evaluated, artifact, evaluate
from tests.evaluation.exporting import copy_with_weights, export_model
from tests.evaluation.test_scoring import plainly
from tests.modules.conftest import make_backbone

pytestmark = [pytest.mark.e2e, pytest.mark.arithmetic]

ROWS = [
    Row("Sort the words.", "pear, apple", "apple, pear"),
    Row("Say hello.", "", "héllo 🙂"),
    Row("Say it " * 15, "", "it"),
    Row("Name one.", "  ", "one"),
    Row("Write.", "", "é" * 100),  # does not fit into the context of 64 tokens
] * 5


def expected_metrics(backbone: GPT2Backbone, tokenizer: Tokenizer, rows: list[Row]) -> dict[str, float]:
    scores = np.array([plainly(backbone, tokenizer, (row.instruction, row.input, row.output)) for row in rows])
    likelihood, tokens, correct, size = scores.sum(axis=0).tolist()
    return {
        "loss": likelihood / tokens,
        "perplexity": math.exp(likelihood / tokens),
        "token_accuracy": correct / tokens,
        "bits_per_byte": likelihood / math.log(2) / size,
        "tokens": tokens,
        "scored_rows": float((scores[:, 1] > 0).sum()),
        "rows": float(len(rows)),
    }


@pytest.fixture(scope="module")
def first(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    """A model without a baseline: each of the last four conditions is missed."""
    return evaluate(
        tmp_path_factory.mktemp("first"),
        ROWS,
        model_folder,
        thresholds=[
            "rows>=1",
            "loss<=1000",
            "loss>=1000@with_input=yes",
            "perplexity<=1",
            "token_accuracy>=0.999@with_input=yes",
            "rows>=1@prompt_length=long",
        ],
    )


def test_every_figure_of_every_slice_equals_an_independent_computation(
    first: Evaluated, backbone: GPT2Backbone, tokenizer: Tokenizer
) -> None:
    slices = {tuple(row["slice"].items()): row["candidate"] for row in first.report["slices"]}
    in_slice = {
        (): ROWS,
        (("with_input", "yes"),): [row for row in ROWS if row.input.strip()],
        (("with_input", "no"),): [row for row in ROWS if not row.input.strip()],
        (("prompt_length", "short"),): [row for row in ROWS if len(row.instruction + row.input) <= 100],
        (("prompt_length", "medium"),): [row for row in ROWS if len(row.instruction + row.input) > 100],
    }
    assert slices.keys() == in_slice.keys()
    for key, rows in in_slice.items():
        assert slices[key] == pytest.approx(expected_metrics(backbone, tokenizer, rows), rel=2e-5)


def test_every_threshold_that_is_missed_is_a_reason(first: Evaluated) -> None:
    by_slice = {tuple(row["slice"].values()): row["candidate"] for row in first.report["slices"]}

    assert not first.blessed
    assert sorted(first.report["reasons"]) == sorted(
        [
            f"loss where with_input=yes is {by_slice[('yes',)]['loss']:.4g}, and must be at least 1000",
            f"perplexity is {by_slice[()]['perplexity']:,.0f}, and must be at most 1",
            f"token_accuracy where with_input=yes is {by_slice[('yes',)]['token_accuracy']:.4g}, "
            "and must be at least 0.999",
            "no row is in the slice prompt_length=long",
        ]
    )
    assert first.blessing.get_string_custom_property("reason") == "; ".join(first.report["reasons"])


def test_without_a_baseline_the_report_says_so(first: Evaluated) -> None:
    assert first.report["baseline"] is None
    assert first.report["notes"] == ["no model was blessed before, so there was nothing to compare with"]


@pytest.fixture(scope="module")
def worse_folder(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model, spoiled."""
    return copy_with_weights(model_folder, tmp_path_factory.mktemp("worse") / "model", factor=2)


def test_a_worse_model_than_the_last_blessed_one_is_not_blessed(
    model_folder: Path, worse_folder: Path, tmp_path: Path
) -> None:
    found = evaluate(tmp_path, ROWS, worse_folder, baseline_folder=model_folder, thresholds=["loss<=1000"])
    overall = found.report["slices"][0]
    now, before = overall["candidate"]["bits_per_byte"], overall["baseline"]["bits_per_byte"]

    assert not found.blessed
    assert found.report["baseline"] == {"id": 1, "uri": str(model_folder)}
    assert found.report["reasons"] == [
        f"bits_per_byte is {now:.4g}, {now - before:.4g} more than the last blessed model's {before:.4g}, "
        "and at most 0.02 is allowed"
    ]


def test_a_better_model_is_blessed(model_folder: Path, worse_folder: Path, tmp_path: Path) -> None:
    assert evaluate(tmp_path, ROWS, model_folder, baseline_folder=worse_folder).blessed


def test_a_baseline_with_another_tokenizer_is_compared_by_bytes_only(model_folder: Path, tmp_path: Path) -> None:
    other = train_tokenizer(["Bread and butter. " * 3, "Say hello."] * 3, vocabulary_size=280)
    export_model(make_backbone(other), other, tmp_path / "other", GENERATION)
    found = evaluate(
        tmp_path,
        ROWS,
        model_folder,
        baseline_folder=tmp_path / "other",
        against_baseline=["loss<=-100", "token_accuracy>=+1", "bits_per_byte<=+100"],
    )

    assert found.blessed
    assert found.report["notes"] == [
        "the last blessed model has another tokenizer, so not compared: loss, token_accuracy"
    ]


def gone(place: Path | str) -> str:
    return (
        f"the last blessed model is gone ({place}), so this one cannot be compared with it; restore that folder, or "
        "run again with --evaluation.baseline none to judge by the thresholds alone"
    )


def test_nothing_is_blessed_against_a_baseline_whose_files_are_gone(model_folder: Path, tmp_path: Path) -> None:
    found = evaluate(tmp_path, ROWS, model_folder, baseline_folder=tmp_path / "gone")

    assert not found.blessed
    assert found.report["reasons"] == [gone(tmp_path / "gone")]
    assert found.blessing.get_string_custom_property("reason") == gone(tmp_path / "gone")
    assert [path.name for path in Path(found.blessing.uri).iterdir()] == ["NOT_BLESSED"]


def test_nothing_is_blessed_against_a_baseline_of_which_only_the_blessing_is_known(
    model_folder: Path, tmp_path: Path
) -> None:
    found = evaluate(tmp_path, ROWS, model_folder, baseline_blessing=blessing_of(7, uri="/models/7"))

    assert found.report["reasons"] == [gone("/models/7")]


def test_a_baseline_that_is_gone_does_not_matter_where_nothing_is_compared(model_folder: Path, tmp_path: Path) -> None:
    found = evaluate(tmp_path, ROWS, model_folder, baseline_folder=tmp_path / "gone", against_baseline=[])

    assert found.blessed
    assert found.report["notes"] == [gone(tmp_path / "gone")]


def blessing_of(model: int, *, number: int = 1, blessed: int = 1, uri: str = "") -> Any:
    made = artifact(standard_artifacts.ModelBlessing, Path("/blessing"), number=number)
    made.set_int_custom_property("blessed", blessed)
    made.set_int_custom_property("current_model_id", model)
    made.set_string_custom_property("current_model", uri)
    return made


def test_the_last_blessed_model_is_not_the_candidate_and_not_an_older_one_if_it_is_gone(model_folder: Path) -> None:
    models = {number: artifact(standard_artifacts.Model, model_folder, number=number) for number in (3, 5, 8, 9)}
    blessings = [
        blessing_of(3, number=11),
        blessing_of(5, number=12),
        blessing_of(8, number=13, blessed=0),
        blessing_of(9, number=14),
    ]

    def resolved(*known: int, candidate: int) -> tuple[list[int], list[int]]:
        given = {"model": [models[number] for number in known], "model_blessing": blessings}
        found = PreviousBlessedModelStrategy().resolve_artifacts(None, {**given, "candidate": [models[candidate]]})
        return [model.id for model in found["model"]], [blessing.id for blessing in found["model_blessing"]]

    assert resolved(3, 5, 8, 9, candidate=8) == ([9], [14])
    assert resolved(3, 5, 8, 9, candidate=9) == ([5], [12])
    assert resolved(3, 8, 9, candidate=9) == ([], [12])  # 5 was deleted


def test_an_evaluation_split_without_a_scored_token_blesses_nothing(model_folder: Path, tmp_path: Path) -> None:
    found = evaluate(tmp_path, ROWS[4:5], model_folder)

    assert not found.blessed
    assert found.report["reasons"] == [
        "no response of the evaluation split's 1 rows fits into the model's context, so there is nothing to judge it by"
    ]


def test_an_evaluation_split_without_rows_blesses_nothing(model_folder: Path, tmp_path: Path) -> None:
    found = evaluate(tmp_path, [], model_folder)

    assert not found.blessed
    assert found.report["reasons"] == ["the evaluation split has no rows, so there is nothing to judge the model by"]
    assert [path.name for path in Path(found.blessing.uri).iterdir()] == ["NOT_BLESSED"]
    assert found.report["slices"][0]["candidate"]["rows"] == 0


def test_a_model_that_computes_no_numbers_is_not_blessed(model_folder: Path, tmp_path: Path) -> None:
    broken = copy_with_weights(model_folder, tmp_path / "model", factor=np.nan)
    found = evaluate(tmp_path, ROWS, broken, baseline_folder=None)

    assert not found.blessed
    assert found.report["reasons"] == ["loss is nan, which is no figure to judge by"]
