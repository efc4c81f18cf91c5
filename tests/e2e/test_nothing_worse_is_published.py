"""Runs after a good one that must not be published: sabotaged training, odd data, a baseline that is gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.evaluation_sabotage import SAMPLE, sabotages, write_sabotaged
from data.tfrecords import read_examples, write_examples
from pipeline.config.evaluation import EvaluationConfig
from tests.e2e.conftest import Finished, Place, free_port
from tests.e2e.test_local_pipeline import NEVER_CACHED, UNJUDGED, published_revisions, trained_models

pytestmark = pytest.mark.e2e

STEPS = 200
# A tiny model learns something at this rate. What it may lose against the last blessed one is the configuration's
# default, which tests/e2e/tiny.toml loosens for models that learn nothing. Whether the forms agree is not the question,
# and no condition is on answers.
LEARNING = {
    "training__learning_rate": "1e-2",
    "training__exact_answer_rows": "0",
    "evaluation__prove_serving": "false",
    "evaluation__answer_rows": "0",
    "evaluation__against_baseline": " ".join(EvaluationConfig().against_baseline),
}
TOLD = {
    "shuffled responses": "bits_per_byte is ",
    "learning rate times 1000": "token_accuracy is ",
    "half trained": "bits_per_byte is ",
}


def run(place: Place, name: str, folder: Path) -> Finished:
    """The good run or a sabotaged one, as benchmarks.evaluation_sabotage does it."""
    changes = {
        key.replace(".", "__").replace("-", "_"): value for key, value in sabotages(folder, steps=STEPS)[name].items()
    }
    return place.run(**{**LEARNING, **changes})


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shuffled")
    write_sabotaged(SAMPLE, folder)
    return folder


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory, shuffled: Path) -> Place:
    """Where a good model was published."""
    place = Place(tmp_path_factory.mktemp("good") / "output", free_port())
    finished = run(place, "good", shuffled)
    assert finished.status == 0, finished.err
    assert "  verdict   blessed · " in finished.out
    assert len(published_revisions(place)) == 1
    return place


@pytest.mark.parametrize("name", TOLD)
def test_a_sabotaged_model_is_not_blessed_and_nothing_is_published(
    good: Place, shuffled: Path, tmp_path: Path, name: str
) -> None:
    place = good.copy(tmp_path / "output")
    before = published_revisions(place)

    sabotaged = run(place, name, shuffled)

    assert sabotaged.status == 0, sabotaged.err
    verdict = sabotaged.out.partition("  verdict   ")[2]
    assert verdict.startswith("not blessed · loss ")
    assert TOLD[name] in verdict.partition("  model ")[0]
    assert "last blessed model's" in verdict.partition("  model ")[0]
    assert "  revision  none: the evaluation did not bless the model: " in verdict
    assert published_revisions(place) == before


def test_after_a_diverged_model_the_good_one_comes_from_cache_with_its_verdict(
    good: Place, shuffled: Path, tmp_path: Path
) -> None:
    place = good.copy(tmp_path / "output")
    before = published_revisions(place)

    diverged = place.run(
        **{**LEARNING, "training__learning_rate": "10"}, training__max_steps="40", publish__required="true"
    )
    repeated = run(place, "good", shuffled)

    assert (diverged.status, repeated.status) == (3, 0), diverged.err + repeated.err
    assert "Nothing was published, which publish.required asks for: the evaluation did not bless" in diverged.err
    assert "  verdict   not blessed · loss " in diverged.out
    assert ", and must be at most 10" in diverged.out
    assert "more than the last blessed model's" in diverged.out
    # The good model is not compared with itself.
    assert repeated.ran == NEVER_CACHED
    assert f"{before[0]} was already published" in repeated.out
    assert published_revisions(place) == before


def test_a_model_whose_baseline_was_deleted_is_judged_alone_only_if_that_is_asked_for(
    good: Place, tmp_path: Path
) -> None:
    place = good.copy(tmp_path / "output")
    (blessed,) = trained_models(good)
    blessed.rename(tmp_path / "away")
    settings = {"training__max_steps": "3", "training__seed": "5", "evaluation__thresholds": "loss<=100"}
    settings = LEARNING | settings | {"evaluation__answer_rows": "2"}

    refused = place.run(**settings)
    alone = place.run(**settings, evaluation__baseline="none")

    (tmp_path / "away").rename(blessed)
    assert refused.status == alone.status == 0, refused.err + alone.err
    assert f"the last blessed model is gone ({blessed}), so this one cannot be compared with it; " in refused.out
    assert "run again with --evaluation.baseline none" in refused.out
    assert "  verdict   not blessed" in refused.out
    assert "  verdict   blessed" in alone.out
    assert alone.ran == ["DataResolver", "AnswerQuality", "Evaluator", "HFPusher"]


def test_rows_that_drifted_stop_the_run_until_they_are_let_through(tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    shutil.copytree(SAMPLE, folder)
    place = Place(tmp_path / "output", free_port())
    (train,) = folder.glob("*-train*")
    # Only what it says of the rows is looked at.
    settings = UNJUDGED | {"publish__enabled": "false", "training__max_steps": "1", "data__path": str(folder)}

    first = place.run(**settings)
    write_examples(train, [row._replace(output=f"{row.output} " * 9) for row in read_examples(train)])
    stopped = place.run(**settings)
    let_through = place.run(**settings, data__allow_anomalies="drift skew", data__max_dropped="1")

    assert first.status == 0, first.err
    assert "no earlier run to compare the rows with" in first.out
    assert stopped.status == 1
    assert "drift: the responses of the train rows are " in stopped.err
    assert "skew: the responses of the evaluation rows are " in stopped.err
    assert "or let it through with --data.allow-anomalies drift." in stopped.err
    assert let_through.status == 0, let_through.err
    assert "2,238 rows are fit for training · let through: drift, skew" in let_through.out
