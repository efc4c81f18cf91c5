"""Runs, by the real kfp client against a server that speaks the published API."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.kubeflow.client import (
    KubeflowAccessError,
    KubeflowClient,
    KubeflowServerError,
    KubeflowUnreachableError,
)
from pipeline.kubeflow.commands import NOT_ASKED
from pipeline.kubeflow.runs import RunFailedError, RunNotEndedError, wait
from pipeline.kubeflow.versions import PackageError
from tests.kubeflow.kfp_server import Fault, KfpServer
from tests.kubeflow.submitting import (
    CREATE_RUN,
    NEW_VERSION,
    OWNER,
    Command,
    only,
    written,
)


def test_submitting_uploads_the_package_makes_the_experiment_and_creates_the_run(
    server: KfpServer, command: Command
) -> None:
    said = command("submit", "--parameter", "epochs=3", "--parameter", "learning-rate=1e-4")

    run = only(server.runs)
    version = only(server.versions)
    assert said == f"Created run {run['run_id']}."
    assert server.changes == [*NEW_VERSION, CREATE_RUN]
    assert run["display_name"] == f"{OWNER} 2026-11-22 12:00:00"
    assert run["runtime_config"] == {"parameters": {"epochs": 3, "learning-rate": 0.0001}}
    assert run["pipeline_version_reference"] == {
        "pipeline_id": version["pipeline_id"],
        "pipeline_version_id": version["pipeline_version_id"],
    }
    assert run["experiment_id"] == only(server.experiments)["experiment_id"]


def test_submitting_the_same_package_again_uses_the_version_that_is_there(server: KfpServer, command: Command) -> None:
    command("submit")
    server.requests.clear()

    command("submit")

    assert server.changes == [CREATE_RUN]
    assert len(server.versions) == 1
    assert len(server.runs) == 2


def test_a_comment_in_the_file_makes_no_other_version(server: KfpServer, command: Command, package: Path) -> None:
    command("submit")
    package.write_text("# python kubeflow_runner.py compile\n" + package.read_text(encoding="utf-8"), encoding="utf-8")
    command("submit")

    assert len(server.versions) == 1


def test_another_package_becomes_another_version_of_the_same_pipeline(
    server: KfpServer, command: Command, tmp_path: Path
) -> None:
    command("submit")
    command("submit", package=written(tmp_path / "other.yaml", image="trainer:2"))

    assert len(server.pipelines) == 1
    assert len({version["display_name"] for version in server.versions.values()}) == 2


def test_a_version_that_somebody_else_uploads_meanwhile_is_used(server: KfpServer, command: Command) -> None:
    server.faults.append(Fault("POST", ".*/pipelines", "409", after=True))
    server.faults.append(Fault("POST", ".*/upload_version", "409", after=True))
    server.faults.append(Fault("POST", ".*/experiments", "409", after=True))

    command("submit")

    assert (len(server.pipelines), len(server.versions), len(server.experiments)) == (1, 1, 1)
    assert only(server.runs)["state"] == "PENDING"


def test_a_dry_run_prints_the_plan_and_changes_nothing(server: KfpServer, command: Command) -> None:
    said = command("submit", "--dry-run", "--parameter", "epochs=3")

    assert server.changes == []
    assert said.splitlines() == [
        "Dry run: nothing was changed. It would:",
        f"  create pipeline {OWNER}",
        f"  upload pipeline.yaml as version {said.split('version ')[1].split()[0]} of {OWNER}",
        f"  create experiment {OWNER}",
        f"  create run {OWNER} 2026-11-22 12:00:00 with epochs=3",
    ]


def test_a_dry_run_needs_no_cluster(command_alone: Command) -> None:
    said = command_alone("submit", "--dry-run").splitlines()

    assert said[0] == NOT_ASKED
    assert [line.split(" sha256")[0] for line in said[1:-1]] == [
        f"  create pipeline {OWNER}",
        "  upload pipeline.yaml as version",
        f"  create experiment {OWNER}",
        f"  create run {OWNER} 2026-11-22 12:00:00",
    ]
    assert said[-1].startswith("Kubeflow must be reachable. Received: NewConnectionError from http://127.0.0.1:")
    with pytest.raises(KubeflowUnreachableError):
        command_alone("submit")


def test_a_dry_run_that_a_cluster_refuses_is_refused(server: KfpServer, command: Command) -> None:
    server.faults.append(Fault("GET", ".*/pipelines", "403"))

    with pytest.raises(KubeflowAccessError, match="403 Forbidden"):
        command("submit", "--dry-run")


def test_waiting_ends_when_the_run_has_succeeded(server: KfpServer, kubeflow: KubeflowClient, command: Command) -> None:
    command("submit")
    run_id = next(iter(server.runs))

    run = wait(
        kubeflow, run_id, limit_seconds=60, clock=lambda: 0.0, sleep=lambda _: server.end_run(run_id, "SUCCEEDED")
    )

    assert run.state == "SUCCEEDED"


@pytest.mark.parametrize("state", ["FAILED", "CANCELED", "SKIPPED"])
def test_waiting_fails_with_the_run_and_names_the_task(
    state: str, server: KfpServer, kubeflow: KubeflowClient, command: Command
) -> None:
    command("submit")
    run_id = next(iter(server.runs))
    server.end_run(run_id, state, error="out of memory", failed_task="Trainer")

    with pytest.raises(RunFailedError, match=rf"Received: state {state} in Trainer: out of memory\."):
        wait(kubeflow, run_id, limit_seconds=60)


def test_waiting_survives_a_server_that_is_away_for_a_moment_only(
    server: KfpServer, kubeflow: KubeflowClient, command: Command
) -> None:
    command("submit")
    run_id = next(iter(server.runs))
    server.end_run(run_id, "SUCCEEDED")
    server.faults.append(Fault("GET", ".*/runs/.*", "503", times=5))

    assert wait(kubeflow, run_id, limit_seconds=60, clock=lambda: 0.0, sleep=lambda _: None).state == "SUCCEEDED"

    server.faults.append(Fault("GET", ".*/runs/.*", "503", times=6))
    with pytest.raises(KubeflowServerError):
        wait(kubeflow, run_id, limit_seconds=60, clock=lambda: 0.0, sleep=lambda _: None)


def test_waiting_gives_up_after_its_limit(server: KfpServer, kubeflow: KubeflowClient, command: Command) -> None:
    command("submit")
    seconds = iter([0.0, 59.0, 60.0])

    with pytest.raises(RunNotEndedError, match=r"must end within 1 minutes\. Received: state PENDING\."):
        wait(kubeflow, next(iter(server.runs)), limit_seconds=60, clock=lambda: next(seconds), sleep=lambda _: None)


def test_runs_are_listed_newest_first_over_several_pages(server: KfpServer, command: Command) -> None:
    for number in range(5):
        command("submit", "--run-name", f"run {number}")
    command("submit", "--experiment", "another", "--run-name", "not shown")

    lines = command("runs", "--limit", "4").splitlines()

    assert [line.split("  ")[-1] for line in lines if "PENDING" in line] == ["run 4", "run 3", "run 2", "run 1"]
    assert lines[0] == f"Runs of {OWNER}, newest first:"
    assert lines[-1] == "No schedules."


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("epoch=3", r"Received: 'epoch=3'\. It declares: epochs, learning-rate, train-pattern\."),
        ("epochs", r"A parameter is NAME=VALUE"),
        ("epochs=many", r"Parameter epochs has the type NUMBER_INTEGER\. Received: 'many'\."),
        ("epochs=true", r"Parameter epochs has the type NUMBER_INTEGER\. Received: 'true'\."),
        ("train-pattern=[[ScheduledTime]]", r"only schedules may have it"),
    ],
)
def test_wrong_parameters_are_refused_before_anything_is_asked(
    parameter: str, message: str, server: KfpServer, command: Command
) -> None:
    with pytest.raises(PackageError, match=message):
        command("submit", "--parameter", parameter)

    assert server.requests == []


def test_an_absent_package_is_refused(command: Command, tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"A package is a compiled pipeline.*absent\.yaml, FileNotFoundError"):
        command("submit", package=tmp_path / "absent.yaml")
