"""A pipeline that looks for its hyperparameters first: Tuner, and Trainer with what it found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Finished, Place, free_port

pytestmark = pytest.mark.e2e

TUNED = {
    "tuning__enabled": "true",
    "tuning__trials": "3",
    "tuning__steps_per_trial": "2",
    "tuning__batch_sizes": "16",
    "training__max_steps": "9",
    "training__evaluate_every_steps": "1",
    "training__early_stopping_patience": "2",
    "training__early_stopping_min_delta": "100",  # nothing is better by so much, so the third evaluation is the last
    "training__keep_weights": "best",
    "evaluation__enabled": "false",
    "evaluation__prove_serving": "false",
    "publish__enabled": "false",
}
BEFORE_TUNER = ["ImportExampleGen", "ImportSchemaGen", "StatisticsGen", "ExampleValidator", "DataGate", "Transform"]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("tuned") / "output", free_port())


@pytest.fixture(scope="module")
def run(tuned: Place) -> Finished:
    return tuned.run(**TUNED)


def only(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def trials(place: Place) -> list[dict[str, object]]:
    results = only(place.root / "Tuner" / "tuner_results") / "tuner_results.json"
    found: list[dict[str, object]] = json.loads(results.read_text(encoding="utf-8"))
    return found


def test_tuner_runs_between_transform_and_trainer_and_keeps_the_terminal_clean(run: Finished) -> None:
    assert run.status == 0, run.err
    assert [name for name in run.ran if name != "DataResolver"] == [*BEFORE_TUNER, "Tuner", "Trainer"]
    assert "best of 3 trials: learning_rate " in run.out
    assert "Search space" not in run.out + run.err
    assert run.messages == []


def test_every_trial_is_recorded_and_the_first_is_the_configuration(run: Finished, tuned: Place) -> None:
    recorded = trials(tuned)

    assert [set(trial) for trial in recorded] == [
        {"trial_id", "score", "training.learning_rate", "training.batch_size"}
    ] * 3
    assert [trial["score"] for trial in recorded] == sorted(trial["score"] for trial in recorded)  # type: ignore[type-var]
    first = next(trial for trial in recorded if trial["trial_id"] == "0")
    assert (first["training.learning_rate"], first["training.batch_size"]) == (2e-3, 32)


def test_trainer_trains_with_the_best_and_says_so(run: Finished, tuned: Place) -> None:
    best = {name: value for name, value in trials(tuned)[0].items() if "." in name}
    report = json.loads((only(tuned.root / "Trainer/model") / "exports/training.json").read_text(encoding="utf-8"))

    assert report["tuned"] == best
    assert report["training"]["learning_rate"] == best["training.learning_rate"]
    assert report["training"]["batch_size"] == best["training.batch_size"]
    assert (report["steps"], report["planned_steps"]) == (3, 9)
    assert " · stopped early, after 3 of 9 steps" in run.out


def test_a_second_run_tunes_from_cache_and_other_ranges_tune_anew(run: Finished, tuned: Place) -> None:
    again, wider = tuned.run(**TUNED), tuned.run(**TUNED | {"tuning__learning_rate_span": "1"})

    assert {"Tuner", "Trainer"} <= set(again.cached)
    assert wider.status == 0, wider.err
    assert "Tuner" in wider.ran
    assert "best of 2 trials: batch_size " in wider.out
