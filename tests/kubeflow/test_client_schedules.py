"""Schedules, by the real kfp client against a server that speaks the published API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from pipeline.kubeflow.client import (
    KubeflowClient,
    KubeflowServerError,
)
from pipeline.kubeflow.commands import NOT_ASKED, CommandError
from pipeline.kubeflow.macros import MacroError, check, fill_in
from pipeline.kubeflow.runs import get_run
from pipeline.kubeflow.schedules import ScheduleNotFoundError
from tests.kubeflow.kfp_server import Fault, KfpServer
from tests.kubeflow.submitting import (
    CREATE_SCHEDULE,
    DELETE_SCHEDULE,
    NEW_VERSION,
    OWNER,
    Command,
    only,
    written,
)


def test_a_schedule_has_the_cron_in_kubeflows_form_and_catches_nothing_up(server: KfpServer, command: Command) -> None:
    command("schedule", "--cron", "0 3 * * 1")

    schedule = only(server.recurring_runs)
    assert server.changes == [*NEW_VERSION, CREATE_SCHEDULE]
    assert schedule["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * 1"}}
    assert schedule["no_catchup"] is True
    assert schedule["max_concurrency"] == "1"
    assert schedule["status"] == "ENABLED"
    assert str(schedule["description"]).startswith("Cron 0 3 * * 1 in UTC.\nmade by gpt2-alpaca-pipeline for ")


def test_a_schedule_can_go_by_an_interval_with_other_settings(server: KfpServer, command: Command) -> None:
    command("schedule", "--interval", "7d", "--max-concurrency", "2", "--catch-up", "--disable")

    schedule = only(server.recurring_runs)
    assert schedule["trigger"] == {"periodic_schedule": {"interval_second": "604800"}}
    assert schedule["no_catchup"] is False
    assert schedule["max_concurrency"] == "2"
    assert schedule["status"] == "DISABLED"


def test_the_same_schedule_again_changes_nothing(server: KfpServer, command: Command) -> None:
    command("schedule", "--cron", "0 3 * * 1")
    server.requests.clear()

    said = command("schedule", "--cron", "0 3 * * MON")

    assert server.changes == []
    assert said.endswith("it is as asked for")


@pytest.mark.parametrize(
    "change",
    [
        ("--cron", "0 4 * * 1"),
        ("--interval", "7d"),
        ("--cron", "0 3 * * 1", "--max-concurrency", "2"),
        ("--cron", "0 3 * * 1", "--catch-up"),
        ("--cron", "0 3 * * 1", "--parameter", "epochs=2"),
        ("--cron", "0 3 * * 1", "--service-account", "trainer"),
    ],
)
def test_other_settings_replace_the_schedule(change: tuple[str, ...], server: KfpServer, command: Command) -> None:
    command("schedule", "--cron", "0 3 * * 1")
    (old,) = server.recurring_runs
    server.requests.clear()

    command("schedule", *change)

    assert server.changes == [CREATE_SCHEDULE, DELETE_SCHEDULE]
    assert old not in server.recurring_runs
    assert len(server.recurring_runs) == 1


def test_a_newly_compiled_pipeline_replaces_the_schedule(server: KfpServer, command: Command, tmp_path: Path) -> None:
    command("schedule", "--cron", "0 3 * * 1")
    command("schedule", "--cron", "0 3 * * 1", package=written(tmp_path / "new.yaml", image="trainer:2"))

    versions = {version["pipeline_version_id"]: version for version in server.versions.values()}
    reference = only(server.recurring_runs)["pipeline_version_reference"]
    assert len(versions) == 2
    assert isinstance(reference, dict)
    assert versions[reference["pipeline_version_id"]]["pipeline_spec"]["deploymentSpec"]["executors"] == {
        "Trainer": {"container": {"image": "trainer:2"}}
    }


def test_other_peoples_schedules_of_the_same_name_are_left_alone(server: KfpServer, command: Command) -> None:
    for owner in ("somebody-else", OWNER):
        command("schedule", "--cron", "0 3 * * 1", owner=owner)
    foreign, *_ = [key for key, one in server.recurring_runs.items() if "somebody-else" in str(one["description"])]
    server.recurring_runs["by-hand"] = {**server.recurring_runs[foreign], "recurring_run_id": "by-hand"}
    server.recurring_runs["by-hand"]["description"] = "made in the web interface"

    replaced = command("schedule", "--cron", "0 4 * * 1")
    command("unschedule")

    assert f"keep schedule {foreign}: it is not ours" in replaced
    assert set(server.recurring_runs) == {foreign, "by-hand"}
    assert server.recurring_runs[foreign]["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * 1"}}


def test_a_schedule_is_switched_off_and_on_without_being_replaced(server: KfpServer, command: Command) -> None:
    command("schedule", "--cron", "0 3 * * 1")
    (identifier,) = server.recurring_runs

    states = []
    for switch in ("--disable", "--enable"):
        command("schedule", switch)
        states.append(only(server.recurring_runs)["status"])
    command("schedule", "--cron", "0 3 * * 1", "--disable")
    states.append(only(server.recurring_runs)["status"])

    assert states == ["DISABLED", "ENABLED", "DISABLED"]
    assert set(server.recurring_runs) == {identifier}


def test_unscheduling_removes_it_and_says_so_if_there_is_none(server: KfpServer, command: Command) -> None:
    command("schedule", "--cron", "0 3 * * 1")
    (identifier,) = server.recurring_runs

    assert command("unschedule", "--dry-run").endswith(f"delete schedule {identifier}")
    assert command("unschedule") == f"Done:\n  delete schedule {identifier}"
    assert server.recurring_runs == {}
    with pytest.raises(ScheduleNotFoundError, match=r"must be a schedule 'retraining' of .* Received: none\."):
        command("unschedule")


def test_a_schedules_dry_run_prints_the_plan_and_changes_nothing(server: KfpServer, command: Command) -> None:
    command("schedule", "--cron", "0 3 * * 1")
    (old,) = server.recurring_runs
    server.requests.clear()

    said = command("schedule", "--cron", "0 4 * * 1", "--dry-run", "--parameter", "epochs=2")

    assert server.changes == []
    assert said.splitlines()[2:] == [
        "  create schedule retraining: cron 0 0 4 * * 1, at most 1 at a time, no catch-up, enabled with epochs=2",
        f"  delete schedule {old}",
    ]


def test_a_schedules_dry_run_needs_no_cluster(command_alone: Command) -> None:
    said = command_alone("schedule", "--cron", "0 3 * * 1", "--dry-run").splitlines()

    assert said[0] == NOT_ASKED
    assert said[-2] == "  create schedule retraining: cron 0 0 3 * * 1, at most 1 at a time, no catch-up, enabled"
    assert said[-1].startswith("Kubeflow must be reachable.")


def test_a_failure_while_replacing_leaves_the_old_schedule_and_the_next_call_tidies_up(
    server: KfpServer, command: Command
) -> None:
    command("schedule", "--cron", "0 3 * * 1")
    (old,) = server.recurring_runs
    server.faults.append(Fault("POST", ".*/recurringruns", "503"))
    server.faults.append(Fault("DELETE", ".*/recurringruns/.*", "503"))

    with pytest.raises(KubeflowServerError):
        command("schedule", "--cron", "0 4 * * 1")
    assert set(server.recurring_runs) == {old}
    with pytest.raises(KubeflowServerError):
        command("schedule", "--cron", "0 4 * * 1")
    assert len(server.recurring_runs) == 2
    command("schedule", "--cron", "0 4 * * 1")

    assert only(server.recurring_runs)["trigger"] == {"cron_schedule": {"cron": "0 0 4 * * 1"}}


def test_each_scheduled_run_has_its_own_id_and_the_data_of_its_day(
    server: KfpServer, kubeflow: KubeflowClient, command: Command
) -> None:
    command("schedule", "--cron", "0 3 * * 1", "--parameter", "train-pattern=[[ScheduledTime.2006-01-02]]/*-train*")
    (identifier,) = server.recurring_runs

    fired = [server.fire(identifier, datetime(2026, 11, day, 3, tzinfo=UTC)) for day in (23, 30)]

    # Kubeflow 2 leaves the time to the component that gets the parameter.
    patterns = [run["runtime_config"]["parameters"]["train-pattern"] for run in fired]
    days = [
        fill_in(pattern, datetime(2026, 11, day, 3, tzinfo=UTC))
        for pattern, day in zip(patterns, (23, 30), strict=True)
    ]
    assert days == ["2026-11-23/*-train*", "2026-11-30/*-train*"]
    assert fired[0]["run_id"] != fired[1]["run_id"]
    assert {get_run(kubeflow, run["run_id"]).schedule_id for run in fired} == {identifier}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("[[ScheduledTime]]", "20261123030405"),
        ("gs://rows/[[ScheduledTime.2006/01/02]]/[[CurrentTime.15-04-05]]", "gs://rows/2026/11/23/03-04-05"),
        ("gs://rows/2026-11-23", "gs://rows/2026-11-23"),
        ("[[1, 2], [3]]", "[[1, 2], [3]]"),
    ],
)
def test_the_time_is_filled_in_in_utc(text: str, filled: str) -> None:
    now = datetime(2026, 11, 23, 5, 4, 5, tzinfo=timezone(timedelta(hours=2)))

    assert fill_in(text, now) == filled


@pytest.mark.parametrize("text", ["[[Index]]", "[[RunUUID]]", "[[ScheduledTime.Jan 2]]", "[[ScheduledTime.%Y]]"])
def test_macros_that_nobody_fills_in_are_refused(text: str) -> None:
    with pytest.raises(MacroError, match=r"may hold its time"):
        check(text)


def test_listing_shows_whose_each_schedule_is(server: KfpServer, command: Command) -> None:
    command("schedule", "--cron", "0 3 * * 1", "--name", "mondays")
    command("schedule", "--interval", "12h", "--name", "often", "--disable", owner="other-pipeline")

    lines = command("runs").splitlines()

    ids = {one["display_name"]: key for key, one in server.recurring_runs.items()}
    assert lines == [
        f"No runs of {OWNER}.",
        "Schedules:",
        f"  mondays  cron 0 0 3 * * 1  enabled  of {OWNER}  {ids['mondays']}",
        f"  often  every 43200 s  disabled  of other-pipeline  {ids['often']}",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), r"A schedule needs a time\."),
        (("--cron", "0 3 * * 1", "--max-concurrency", "11"), r"within 1 to 10\. Received: 11\."),
        (("--interval", "7d", "--time-zone", "Asia/Tokyo"), r"--time-zone goes with --cron"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    arguments: tuple[str, ...], message: str, server: KfpServer, command: Command
) -> None:
    with pytest.raises(CommandError, match=message):
        command("schedule", *arguments)

    assert server.requests == []
