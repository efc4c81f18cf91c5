"""kubeflow_runner.py's commands, from the command line to the server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.kubeflow.commands import NOT_ASKED
from pipeline.kubeflow.runner import run_command
from tests.kubeflow.kfp_server import KfpServer, serving

REPOSITORY = Path(__file__).parents[2]
TOKEN = "eyJ-not-for-anybody"
PIPELINE = "kerasnlp-gpt2-alpaca-pipeline"
# What a cluster needs and the quickstart profile does not have.
DEPLOYABLE = (
    "--publish.endpoint", "https://huggingface.co",
    "--publish.repo-id", "somebody/gpt2-alpaca",
    "--publish.space-repo-id", "somebody/gpt2-alpaca-demo",
    "--kubeflow.image", "ghcr.io/somebody/gpt2-alpaca@sha256:" + "0" * 64,
)  # fmt: skip
# Runs kubeflow_runner.py where what takes seconds to import cannot be imported at all.
WITHOUT_TENSORFLOW = """
import sys

for name in ("tensorflow", "tfx", "keras", "keras_hub", "apache_beam", "ml_metadata"):
    sys.modules[name] = None
sys.argv = ["kubeflow_runner.py", *sys.argv[1:]]

from pipeline.kubeflow.runner import run_command

sys.exit(run_command(sys.argv[1:], {}))
"""


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


def test_what_is_wrong_with_a_schedule_is_told_at_once_and_before_tensorflow_is_imported(host: str) -> None:
    arguments = [
        *("schedule", "--kubeflow.endpoint", host, *DEPLOYABLE[:2]),
        *("--publish.repo-id", "YOU/gpt2-alpaca", "--publish.space-repo-id", "YOU/gpt2-alpaca-demo"),
        *("--kubeflow.image", "registry.example/gpt2-alpaca@sha256:...", "--cron", "61 3 * * 1"),
        *("--max-concurrency", "11", "--parameter", "training__epoch=3"),
    ]
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, *arguments]

    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (1, "")
    heading, *problems = done.stderr.splitlines()
    assert heading == "Nothing was submitted: 7 problems."
    for number, words in enumerate(
        (
            "Received: 'training__epoch=3'. It declares: data__path, training__epochs",
            "Kubeflow keeps --max-concurrency within 1 to 10. Received: 11.",
            "The minute of a cron expression is *, a number from 0 to 59",
            "The digest of kubeflow.image is sha256: and 64 hexadecimal digits.",
            "Received: YOU/gpt2-alpaca, as examples write it.",
            "Received: YOU/gpt2-alpaca-demo, as examples write it.",
            "names that end in .example are nobody's",
        )
    ):
        assert words in problems[number]


def test_nobody_listening_is_one_message_without_the_attempts(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with serving(KfpServer()) as host:
        pass

    assert run(host, "runs") == 1

    assert len(capsys.readouterr().err.splitlines()) == 1
    assert caplog.records == []


@pytest.mark.e2e
def test_a_plan_of_the_real_pipeline_needs_no_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(KfpServer()) as host:
        pass

    assert run(host, "schedule", *DEPLOYABLE, "--cron", "0 3 * * 1", "--dry-run") == 0

    told = capsys.readouterr()
    assert told.out.startswith(f"{NOT_ASKED}\n  create pipeline {PIPELINE}\n")
    assert told.err == ""


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
