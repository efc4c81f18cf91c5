"""kubeflow_runner.py's commands, from the command line to the server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from pipeline.kubeflow.runner import run_command
from tests.kubeflow.kfp_server import KfpServer, serving

TOKEN = "eyJ-not-for-anybody"
PIPELINE = "kerasnlp-gpt2-alpaca-pipeline"
# What a cluster needs and the quickstart profile does not have.
DEPLOYABLE = (
    "--publish.endpoint", "https://huggingface.co",
    "--publish.repo-id", "somebody/gpt2-alpaca",
    "--publish.space-repo-id", "somebody/gpt2-alpaca-demo",
    "--kubeflow.image", "registry.example/gpt2-alpaca@sha256:" + "0" * 64,
)  # fmt: skip


@pytest.fixture
def server() -> KfpServer:
    return KfpServer(token=TOKEN)


@pytest.fixture
def host(server: KfpServer) -> Iterator[str]:
    with serving(server) as host:
        yield host


def run(host: str, *arguments: str, token: str = TOKEN) -> int:
    command, *rest = arguments
    return run_command([command, "--kubeflow.endpoint", host, *rest], {"KUBEFLOW_TOKEN": token})


def test_listing_says_what_there_is(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(host, "runs") == 0

    assert capsys.readouterr().out == f"No runs of {PIPELINE}.\nNo schedules.\n"


def test_a_wrong_token_is_one_message_without_the_token(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(host, "runs", token="eyJ-wrong") == 1

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Kubeflow must know who asks. Received: 401 Unauthorized from ")
    assert len(captured.err.splitlines()) == 1
    assert "eyJ-wrong" not in captured.err


def test_unscheduling_what_is_not_there_fails(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(host, "unschedule", "--name", "weekly") == 1

    assert capsys.readouterr().err.startswith(f"There must be a schedule 'weekly' of {PIPELINE}.")


def test_switching_a_schedule_compiles_nothing(
    server: KfpServer, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(host, "schedule", "--disable") == 1
    assert capsys.readouterr().err.startswith("There must be a schedule 'retraining'")
    assert [path for _, path in server.requests] == ["/apis/v2beta1/recurringruns"]


def test_a_schedule_without_a_time_asks_for_one(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(host, "schedule") == 1
    assert capsys.readouterr().err.startswith("A schedule needs a time.")


@pytest.mark.e2e
def test_a_run_and_a_schedule_of_the_same_pipeline_share_a_version(
    server: KfpServer, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    daily = "gs://rows/[[ScheduledTime.2006-01-02]]"

    assert run(host, "submit", *DEPLOYABLE) == 0, capsys.readouterr().err
    assert run(host, "schedule", *DEPLOYABLE, "--cron", "0 3 * * 1", "--parameter", f"data__path={daily}") == 0

    (version,) = server.versions.values()
    (schedule,) = server.recurring_runs.values()
    assert version["pipeline_spec"]["pipeline_spec"]["pipelineInfo"]["name"] == PIPELINE
    assert "kubernetes" in version["pipeline_spec"]["platform_spec"]["platforms"]
    assert schedule["pipeline_version_reference"]["pipeline_version_id"] == version["pipeline_version_id"]
    fired = server.fire(schedule["recurring_run_id"], datetime(2026, 11, 23, 3, tzinfo=UTC))
    assert fired["runtime_config"]["parameters"] == {"data__path": daily}
