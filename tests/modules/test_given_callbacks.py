"""A callback from outside the project follows a real training, by its name in the configuration alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import keras
import pytest

from modules.registry import RegistryError
from modules.settings.run import RunSettings
from modules.trainer import train
from modules.training.callback_names import CallbackError, load_callbacks, name_problems
from modules.training.callbacks.base import TrainingCallback
from modules.training.task import Trained, TrainingTask
from pipeline.config.sources import load_config
from pipeline.nodes.training import run_settings

TINY = Path(__file__).parents[1] / "e2e/tiny.toml"
ROWS = (
    [f"### Instruction:\nCount to {number}.\n\n### Response:\n" for number in range(1, 25)],
    [", ".join(map(str, range(1, number + 1))) for number in range(1, 25)],
)


class Recorder(keras.callbacks.Callback):
    """A callback as anybody writes it for Keras."""

    told: ClassVar[list[tuple[str, int, dict[str, float]]]] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.told.append(("epoch begins", epoch, {}))

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.told.append(("step begins", batch, {}))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.told.append(("step", batch, dict(logs)))

    def on_test_end(self, logs: Any = None) -> None:
        self.told.append(("evaluation", logs["step"], dict(logs)))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.told.append(("epoch", epoch, dict(logs)))


class LateRecorder(TrainingCallback):
    """A callback that may be told when the losses are read anyway."""

    async_safe = True
    told: ClassVar[list[tuple[int, float]]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.told.append((logs["step"], logs["loss"]))


class Stopper(keras.callbacks.Callback):
    """Ends a training after its second step."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.model.stop_training = batch == 1


class NeedsArguments(keras.callbacks.Callback):
    def __init__(self, monitor: str) -> None:
        super().__init__()


class NoCallback:
    """Something else."""


@pytest.fixture(autouse=True)
def nothing_told_yet() -> Iterator[None]:
    yield
    Recorder.told.clear()
    LateRecorder.told.clear()


def trained_with(folder: Path, *names: str, **training: str) -> Trained:
    """A training of five steps, two to an epoch, as Trainer would do it with callbacks of these names."""
    callbacks = " ".join(f"{__name__}:{name}" for name in names)
    options = {"callbacks": callbacks, "max_steps": "5", "batch_size": "4", "packing": "best_fit"} | training
    flags = [part for name, value in options.items() for part in (f"--training.{name.replace('_', '-')}", value)]
    told = run_settings(load_config(["--profile", str(TINY), *flags], {})).to_json()
    settings = RunSettings.from_custom_config(json.loads(json.dumps(told)))
    return train(TrainingTask(settings, ROWS, ROWS, str(folder / "logs"), None, None))


def test_it_is_told_of_every_step_and_its_loss(tmp_path: Path) -> None:
    report = trained_with(tmp_path, "Recorder", evaluate_every_steps="3").report

    steps = [(batch, logs) for kind, batch, logs in Recorder.told if kind == "step"]
    assert [batch for batch, _ in steps] == list(range(5))
    assert [logs["step"] for _, logs in steps] == list(range(1, 6))
    assert all(4 < logs["loss"] < 7 and 0 <= logs["token_accuracy"] <= 1 for _, logs in steps)
    evaluations = [(step, logs["loss"]) for kind, step, logs in Recorder.told if kind == "evaluation"]
    assert evaluations == [(step, loss) for step, loss, _ in report["evaluations"]]
    assert report["training"]["callbacks"] == [f"{__name__}:Recorder"]


def test_it_is_told_of_epochs_as_keras_tells_of_them(tmp_path: Path) -> None:
    report = trained_with(tmp_path, "Recorder", evaluate_every_epoch="true").report

    step = ["step begins", "step"]
    whole, cut_short = ["epoch begins", *step, *step, "evaluation", "epoch"], ["epoch begins", *step, "epoch"]
    assert [kind for kind, *_ in Recorder.told] == [*whole, *whole, *cut_short, "evaluation"]
    losses = [logs["loss"] for kind, _, logs in Recorder.told if kind == "step"]
    epochs = [logs for kind, _, logs in Recorder.told if kind == "epoch"]
    assert [epoch for kind, epoch, _ in Recorder.told if kind == "epoch"] == [0, 1, 2]
    assert epochs[1]["loss"] == pytest.approx((losses[2] + losses[3]) / 2)
    assert epochs[1]["val_loss"] == report["evaluations"][1][1]
    assert (epochs[2]["loss"], "val_loss" in epochs[2]) == (losses[4], False)


def test_one_that_can_wait_is_told_of_the_same_steps(tmp_path: Path) -> None:
    trained_with(tmp_path, "Recorder", "LateRecorder", log_every_steps="4")

    at_once = [(batch + 1, logs["loss"]) for kind, batch, logs in Recorder.told if kind == "step"]
    assert LateRecorder.told == at_once


def test_it_changes_nothing_and_costs_no_setting_where_there_is_none(tmp_path: Path) -> None:
    followed = trained_with(tmp_path / "followed", "Recorder").report
    alone = trained_with(tmp_path / "alone", callbacks="none").report

    assert "callbacks" not in alone["training"]
    assert (followed["train_loss"], followed["eval_loss"]) == (alone["train_loss"], alone["eval_loss"])


def test_it_can_end_the_training(tmp_path: Path) -> None:
    assert trained_with(tmp_path, "Stopper").report["steps"] == 2


# ------------------------------------------------------------------------------------------------------ Its name


def test_a_name_that_nothing_answers_to_is_a_problem() -> None:
    good, absent, unknown = f"{__name__}:Recorder", "no.such_module:Recorder", f"{__name__}:Absent"

    problems = list(name_problems([good, "keras.callbacks:TerminateOnNaN", absent, unknown]))

    assert len(problems) == 2
    assert "there is no such module. Received: 'no.such_module:Recorder'" in problems[0]
    assert re.search(r"the module has no such class\. Received: '\S+:Absent'; \S+ defines no Absent", problems[1])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"{__name__}:NeedsArguments", r"can be made without arguments\. Received: '.*:NeedsArguments'; .*monitor"),
        (f"{__name__}:Absent", r"training\.callbacks must name an object that can be imported\. Received: '.*:Absent'"),
        (f"{__name__}:NoCallback", r"must name Keras callbacks\. Received: '.*:NoCallback', which makes a NoCallback"),
    ],
)
def test_what_is_no_callback_ends_the_training_before_it_begins(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises((CallbackError, RegistryError), match=message):
        load_callbacks([name])


def test_its_code_counts_in_the_fingerprint() -> None:
    def code(*flags: str) -> str:
        return run_settings(load_config(["--profile", str(TINY), *flags], {})).fingerprint

    named = [code("--training.callbacks", f"{module}:Recorder") for module in (__name__, "tests.modules.tiny_training")]
    assert len({code(), *named}) == 3
