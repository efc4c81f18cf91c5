"""The search for hyperparameters: what is tried, what a trial is, and what becomes of those that fail."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from keras_tuner.engine.trial import TrialStatus

from modules import tuning
from modules.models.gpt2.tokenizer import load_tokenizer, train_tokenizer
from modules.settings.rows import RowSettings
from modules.settings.run import RunSettings, tuned_values, with_values
from modules.settings.tuning import TuningSettings
from modules.trainer import train
from modules.training.callbacks.divergence import DivergedError
from modules.training.task import TrainingTask
from pipeline.config.sources import load_config

TINY = Path(__file__).parents[1] / "e2e/tiny.toml"
ROWS = (
    [f"### Instruction:\nCount to {number}.\n\n### Response:\n" for number in range(1, 25)],
    [", ".join(map(str, range(1, number + 1))) for number in range(1, 25)],
)
EVAL_ROWS = (ROWS[0][::6], ROWS[1][::6])


def configured(*arguments: str) -> tuple[RunSettings, TuningSettings]:
    """The settings of a run, and how to search."""
    config = load_config(["--profile", str(TINY), "--tuning.enabled", "true", *arguments], {})
    settings = RunSettings(
        data=RowSettings(kind=config.data.kind),
        model=config.model,
        training=config.training,
        generation=config.generation,
        export=config.export,
    )
    return settings, config.tuning


def searched(evaluate: tuning.Evaluate, folder: Path, *arguments: str) -> tuning.TrialTuner:
    """A tuner after its search."""
    tuner = tuning.TrialTuner(tuning.make_oracle(*configured(*arguments)), evaluate, folder=folder)
    tuner.search_space_summary()
    tuner.search()
    tuner.results_summary()
    return tuner


def distance(values: Mapping[str, Any]) -> float:
    """Least at a learning rate of 1e-3 and a batch of 8."""
    return 1 + abs(math.log10(values["training.learning_rate"]) + 3) + (values["training.batch_size"] != 8)


# -------------------------------------------------------------------------------------------------- What is tried


def test_the_space_is_around_what_is_configured() -> None:
    arguments = ("--tuning.batch-sizes", "8,64", "--training.lora-rank", "4", "--tuning.lora-ranks", "2 8")
    space = tuning.search_space(*configured("--training.learning-rate", "0.2", *arguments))

    assert space.values == {"training.learning_rate": 0.2, "training.batch_size": 32, "training.lora_rank": 4}
    rate, batch, rank = (parameter.get_config() for parameter in space.space)
    assert (rate["min_value"], rate["max_value"], rate["sampling"]) == (0.02, 1.0, "log")
    assert (batch["values"], rank["values"]) == ([8, 32, 64], [2, 4, 8])


def test_what_is_not_to_be_tuned_is_not_in_the_space() -> None:
    space = tuning.search_space(*configured("--tuning.learning-rate-span", "1", "--tuning.batch-sizes", "8"))

    assert list(space.values) == ["training.batch_size"]


@pytest.mark.parametrize("search", ["bayesian", "random"])
def test_the_first_trial_is_the_configuration_and_the_seed_decides_the_others(search: str, tmp_path: Path) -> None:
    arguments = ("--tuning.search", search, "--tuning.batch-sizes", "8", "--tuning.trials", "5")
    runs = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        tuner = searched(distance, tmp_path / name, *arguments, "--tuning.seed", seed)
        runs.append([dict(trial.hyperparameters.values) for trial in tuner.oracle.trials.values()])

    assert runs[0][0] == runs[2][0] == {"training.learning_rate": 2e-3, "training.batch_size": 32}
    assert runs[0] == runs[1] != runs[2]
    assert len({tuple(values.values()) for values in runs[0]}) == 5


def test_the_best_loss_wins_and_nothing_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tuner = searched(distance, tmp_path, "--tuning.batch-sizes", "8", "--tuning.trials", "12")

    best = tuner.get_best_hyperparameters()[0].values
    losses = [trial.score for trial in tuner.oracle.trials.values()]
    assert distance(best) == min(losses) < losses[0]
    assert best["training.batch_size"] == 8
    assert tuning.trial_table(tuner.oracle)[0].endswith(f"eval loss {min(losses):.4f} · {tuning.described(best)}")
    assert capsys.readouterr() == ("", "")


# ------------------------------------------------------------------------------------------------- Trials that fail


def test_a_trial_that_diverges_is_left_out(tmp_path: Path) -> None:
    def evaluate(values: Mapping[str, Any]) -> float:
        if values["training.learning_rate"] > 2.1e-3:
            raise DivergedError("Training needs a finite loss.")
        return distance({**values, "training.batch_size": 8})

    tuner = searched(evaluate, tmp_path, "--tuning.search", "random", "--tuning.trials", "8")

    trials = tuner.oracle.trials.values()
    failed = [trial for trial in trials if trial.hyperparameters.values["training.learning_rate"] > 2.1e-3]
    assert 0 < len(failed) < 8
    assert [trial.status for trial in trials if trial not in failed] == [TrialStatus.COMPLETED] * (8 - len(failed))
    assert {trial.status for trial in failed} == {TrialStatus.FAILED}
    assert [line for line in tuning.trial_table(tuner.oracle) if ": failed · " in line] != []


def test_a_search_without_a_loss_says_so(tmp_path: Path) -> None:
    def evaluate(values: Mapping[str, Any]) -> float:
        raise DivergedError("Training needs a finite loss.")

    with pytest.raises(tuning.TuningError, match=r"At least one trial must end with a loss\. Received: 2 that failed"):
        searched(evaluate, tmp_path, "--tuning.trials", "2")


def test_what_no_trial_could_survive_ends_the_search_at_once(tmp_path: Path) -> None:
    tried: list[Mapping[str, Any]] = []

    def evaluate(values: Mapping[str, Any]) -> float:
        tried.append(values)
        raise ValueError("There are no rows.")

    with pytest.raises(tuning.TuningError, match=r"with learning_rate 0\.002 could not run: There are no rows\."):
        searched(evaluate, tmp_path)
    assert len(tried) == 1


# ------------------------------------------------------------------------------------------------ What a trial is


def test_a_trial_is_what_trainer_would_do_in_steps_that_see_as_many_rows(tmp_path: Path) -> None:
    settings, plan = configured("--training.batch-size", "4", "--tuning.steps-per-trial", "4")
    settings = tuning.with_one_tokenizer(settings, ROWS, tmp_path / "tokenizer")
    evaluate = tuning.trial_runner(settings, ROWS, EVAL_ROWS, plan, folder=tmp_path)

    tried = evaluate({"training.learning_rate": 1e-2, "training.batch_size": 8})

    same = {"training.learning_rate": 1e-2, "training.batch_size": 8, "training.max_steps": 2}
    task = TrainingTask(with_values(settings, same), ROWS, EVAL_ROWS, str(tmp_path / "logs"), None, None)
    report = train(task).report
    # A trial runs in a process of its own, whose matrix library may be another one: two steps' rounding in float32.
    assert (report["steps"], tried) == (2, pytest.approx(report["eval_loss"], rel=1e-4))


def test_a_trial_ends_early_and_is_judged_by_its_best_weights_as_the_training_would(tmp_path: Path) -> None:
    stopping = {"evaluate-every-steps": "1", "early-stopping-patience": "1", "early-stopping-min-delta": "100"}
    flags = [part for name, value in stopping.items() for part in (f"--training.{name}", value)]
    settings, plan = configured(*flags, "--training.keep-weights", "best", "--tuning.steps-per-trial", "9")
    settings = tuning.with_one_tokenizer(settings, ROWS, tmp_path / "tokenizer")
    evaluate = tuning.trial_runner(settings, ROWS, EVAL_ROWS, plan, folder=tmp_path, train=train)

    tried = evaluate({"training.learning_rate": 1e-2})

    same = {"training.learning_rate": 1e-2, "training.max_steps": 9}
    task = TrainingTask(with_values(settings, same), ROWS, EVAL_ROWS, str(tmp_path / "logs"), None, None)
    report = train(task).report
    assert (report["steps"], tried) == (2, pytest.approx(report["eval_loss"], rel=1e-6))


def test_the_rank_of_adapters_is_tuned_where_there_are_any(tmp_path: Path) -> None:
    settings, plan = configured(
        "--training.lora-rank", "2", "--tuning.lora-ranks", "4", "--tuning.steps-per-trial", "1"
    )
    evaluate = tuning.trial_runner(settings, ROWS, EVAL_ROWS, plan, folder=tmp_path, train=train)

    losses = [evaluate({"training.learning_rate": 0.1, "training.lora_rank": rank}) for rank in (2, 4)]

    assert all(4 < loss < 7 for loss in losses)
    assert losses[0] != losses[1]


def test_every_trial_has_the_tokenizer_that_trainer_would_train(tmp_path: Path) -> None:
    settings, _ = configured()

    given = tuning.with_one_tokenizer(settings, ROWS, tmp_path / "tokenizer")

    trained = train_tokenizer([*ROWS[0], *ROWS[1]], vocabulary_size=settings.model.vocabulary_size)
    loaded = load_tokenizer(Path(str(given.model.tokenizer_path)))
    assert loaded.get_vocab() == trained.get_vocab()
    assert loaded.encode(ROWS[1][7]).ids == trained.encode(ROWS[1][7]).ids
    assert tuning.with_one_tokenizer(given, ROWS, tmp_path / "other") == given


def test_trainer_gets_the_best_where_the_configuration_had_its_own() -> None:
    settings, plan = configured("--tuning.batch-sizes", "8")
    space = tuning.search_space(settings, plan)
    space.values |= {"training.learning_rate": 0.01, "training.batch_size": 8}

    tuned = with_values(settings, tuned_values(space.get_config()))

    assert tuned_values(space.get_config()) == {"training.learning_rate": 0.01, "training.batch_size": 8}
    assert tuned.training == settings.training.model_copy(update={"learning_rate": 0.01, "batch_size": 8})
    assert (settings.training.learning_rate, tuned_values(None)) == (2e-3, {})
