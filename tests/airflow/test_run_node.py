"""One component at a time: taking turns, and going on where the run stands."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path

import pytest

from pipeline.airflow import preflight, run_node
from pipeline.errors import RunLockedError
from pipeline.run_lock import exclusive

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def unchanged_environment() -> object:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def call(output: Path, node: str, *flags: str, run_id: str = "manual__2026-11-22T03:00:00+00:00") -> int:
    arguments = ["--node", node, "--run-id", run_id, "--profile", str(REPOSITORY / "tests/e2e/tiny.toml")]
    return run_node.main([*arguments, "--output-dir", str(output), *flags], os.environ)


def test_a_run_id_of_airflow_becomes_one_that_is_safe_in_paths() -> None:
    assert run_node.NodeCall.of("Trainer", "scheduled__2026-11-23T03:00:00+00:00/../x") == run_node.NodeCall(
        "Trainer", "scheduled__2026-11-23T03-00-00-00-00-..-x"
    )


def test_a_call_waits_for_its_turn(tmp_path: Path) -> None:
    lock = tmp_path / "run.lock"
    held, order = threading.Event(), []

    def hold() -> None:
        with lock.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            held.set()
            time.sleep(0.3)
            order.append("released")

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    with exclusive(lock, wait_seconds=30):
        order.append("had")
    holder.join()

    assert order == ["released", "had"]


def test_a_call_gives_up_after_its_wait(tmp_path: Path) -> None:
    lock = tmp_path / "run.lock"
    with exclusive(lock):
        start = time.monotonic()
        with pytest.raises(RunLockedError, match=r"Only one run at a time"), exclusive(lock, wait_seconds=0.2):
            pass

    assert time.monotonic() - start >= 0.2


def test_the_first_task_finds_everything_that_stands_in_the_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--output-dir", str(tmp_path), "--publish.enabled", "false"]

    assert preflight.main(arguments, {}) == 0
    assert preflight.main([*arguments, "--data.path", str(tmp_path / "absent")], {}) == 1

    captured = capsys.readouterr()
    assert captured.out == "Nothing stands in the way of a run.\n"
    assert "data.path must be a folder with TFRecord files" in captured.err


def test_wrong_settings_are_refused_before_anything_is_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(tmp_path, "Trainer", "--training.epochs", "many") == 1

    assert "training.epochs" in capsys.readouterr().err


@pytest.mark.e2e
def test_components_of_a_run_find_each_others_results_and_are_not_run_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    statuses = [call(tmp_path, node) for node in ("ImportExampleGen", "ImportExampleGen", "StatisticsGen")]
    said = capsys.readouterr().out

    assert statuses == [0, 0, 0]
    assert said.count("ImportExampleGen  finished in this run already") == 1
    root = tmp_path / "tfx" / "kerasnlp-gpt2-alpaca-pipeline"
    assert [path.name for path in (root / "ImportExampleGen" / "examples").iterdir()] == ["1"]
    assert len(list((root / "StatisticsGen" / "statistics").iterdir())) == 1


@pytest.mark.e2e
def test_a_component_whose_inputs_are_missing_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(tmp_path, "StatisticsGen", run_id="another") == 1
    assert "Component StatisticsGen did not run" in capsys.readouterr().err


@pytest.mark.e2e
def test_an_unknown_component_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(tmp_path, "Trainr") == 1

    assert "The pipeline must have the component. Received: --node Trainr." in capsys.readouterr().err
