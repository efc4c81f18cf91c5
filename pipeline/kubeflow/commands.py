"""The commands that talk to Kubeflow: submit, schedule, runs, unschedule.

``kubeflow_runner.py`` adds them to its own parser and dispatches to :func:`execute`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.kubeflow.client import KubeflowClient, KubeflowUnreachableError
from pipeline.kubeflow.cron import in_zone_of_cluster, read_cron, read_interval
from pipeline.kubeflow.runs import ExistingRecords, RunRequest, SubmitPlan, find_existing, list_runs, submit, wait
from pipeline.kubeflow.schedules import (
    MAX_CONCURRENCY,
    SchedulePlan,
    ScheduleRequest,
    Settings,
    apply_steps,
    list_schedules,
    plan_schedule,
    schedule,
    steps_to_remove,
    steps_to_switch,
)
from pipeline.kubeflow.versions import name_and_value, read_package, read_parameters

DEFAULT_SCHEDULE = "retraining"
DEFAULT_WAIT_MINUTES = 24 * 60
DEFAULT_SHOWN_RUNS = 20
NOTHING_DONE = "Dry run: nothing was changed. It would:"
NOT_ASKED = (
    "Dry run: nothing was changed. Kubeflow could not be asked what it has already, so this is the plan for one that "
    "has nothing of it. It would:"
)


class CommandError(PipelineError, ValueError):
    """Options that do not go together."""


@dataclass(frozen=True)
class Context:
    """Environment of the commands, besides their options."""

    kubeflow: KubeflowClient
    pipeline_name: str  # owns the schedules, and names the experiment unless another is given
    package: Path  # the compiled pipeline, for commands that need one
    now: datetime


def add_commands(subparsers: Any) -> None:
    """Adds the parsers of all commands to what ``ArgumentParser.add_subparsers`` gave."""
    _add_submit(_command(subparsers, "submit", "Create a run now"))
    _add_schedule(_command(subparsers, "schedule", "Have runs created regularly, or change how"))
    runs = _command(subparsers, "runs", "List the latest runs, and all schedules", changes=False)
    runs.add_argument("--limit", type=int, default=DEFAULT_SHOWN_RUNS, metavar="N", help="how many runs to show")
    unschedule = _command(subparsers, "unschedule", "Remove a schedule")
    unschedule.add_argument("--name", default=DEFAULT_SCHEDULE, help="name of the schedule (%(default)s)")


def needs_package(options: argparse.Namespace) -> bool:
    """Returns whether the command that was chosen reads a compiled pipeline."""
    switches_only = options.command == "schedule" and options.cron is None and options.interval is None
    return options.command in ("submit", "schedule") and not switches_only


def option_problems(options: argparse.Namespace, *, parameters: Collection[str], now: datetime) -> list[str]:
    """Returns what is wrong with the options of `submit` or `schedule` by themselves, all of it.

    Args:
        options: as parsed; of a command that reads a compiled pipeline.
        parameters: the names that a compiled pipeline may declare.
        now: where the comparison of time zones starts.
    """
    checks: list[Callable[[], object]] = [partial(name_and_value, text, parameters) for text in options.parameter]
    if options.command == "schedule":
        checks += [partial(_check_concurrency, options), partial(_times, options, now)]
    return [problem for check in checks for problem in _problem_of(check)]


def execute(options: argparse.Namespace, context: Context) -> str:
    """Carries out the command that was chosen.

    Returns:
        What to print.

    Raises:
        PipelineError: With a message for the user.
    """
    commands: Mapping[str, Callable[[argparse.Namespace, Context], str]] = {
        "submit": _submit,
        "schedule": _schedule,
        "runs": _runs,
        "unschedule": _unschedule,
    }
    return commands[options.command](options, context)


# --------------------------------------------------------------------------------------------------- Options


def _command(subparsers: Any, name: str, purpose: str, *, changes: bool = True) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(name, help=purpose, description=purpose, allow_abbrev=False)
    parser.set_defaults(command=name)
    parser.add_argument("--experiment", help="experiment of the runs (the pipeline's name)")
    if changes:
        parser.add_argument("--dry-run", action="store_true", help="print what would be done, and do nothing")
    return parser


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value of a pipeline parameter; may be given again",
    )
    parser.add_argument("--pipeline-root", help="where the artifacts go, if not where the pipeline was compiled for")
    parser.add_argument("--service-account", help="Kubernetes service account of the run's pods")


def _add_submit(parser: argparse.ArgumentParser) -> None:
    _add_run_options(parser)
    parser.add_argument("--run-name", help="name of the run (the pipeline's name and the time)")
    parser.add_argument("--wait", action="store_true", help="wait until the run has ended; fail if it fails")
    parser.add_argument(
        "--wait-minutes", type=float, default=DEFAULT_WAIT_MINUTES, metavar="N", help="longest wait (%(default)s)"
    )


def _add_schedule(parser: argparse.ArgumentParser) -> None:
    _add_run_options(parser)
    parser.add_argument("--name", default=DEFAULT_SCHEDULE, help="name of the schedule (%(default)s)")
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--cron", help='minute, hour, day of the month, month, day of the week, such as "0 3 * * 1"')
    when.add_argument("--interval", help="time between two runs, such as 12h or 7d")
    parser.add_argument("--time-zone", help="time zone of --cron (that of the cluster)")
    parser.add_argument(
        "--cluster-time-zone",
        default="UTC",
        help="time zone that the installation keeps its schedules in, CRON_SCHEDULE_TIMEZONE of its "
        "ml-pipeline-scheduledworkflow deployment (%(default)s)",
    )
    parser.add_argument(
        "--max-concurrency",
        type=int,
        default=1,
        metavar="N",
        help=f"how many of its runs may be going at a time, 1 to {MAX_CONCURRENCY} (%(default)s)",
    )
    parser.add_argument("--catch-up", action="store_true", help="make up for every run missed while it was off")
    switch = parser.add_mutually_exclusive_group()
    switch.add_argument("--disable", action="store_true", help="have it, but switched off; alone: switch it off")
    switch.add_argument("--enable", action="store_true", help="alone: switch it on again")


# -------------------------------------------------------------------------------------------------- Commands


def _submit(options: argparse.Namespace, context: Context) -> str:
    package = read_package(context.package)
    request = RunRequest(
        name=options.run_name or f"{package.pipeline} {context.now.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        experiment=options.experiment or context.pipeline_name,
        package=package,
        parameters=read_parameters(options.parameter, package, scheduled=False),
        pipeline_root=options.pipeline_root,
        service_account=options.service_account,
    )
    if options.dry_run:
        return _dry_run_plan(
            lambda: SubmitPlan(request, _find_existing(context, request)), SubmitPlan(request, ExistingRecords())
        )
    run_id = submit(context.kubeflow, SubmitPlan(request, _find_existing(context, request)))
    if not options.wait:
        return f"Created run {run_id}."
    wait(context.kubeflow, run_id, limit_seconds=options.wait_minutes * 60)
    return f"Run {run_id} has succeeded."


def _schedule(options: argparse.Namespace, context: Context) -> str:
    if options.cron is None and options.interval is None:
        return _switch(options, context)
    request = _schedule_request(options, context)
    if options.dry_run:
        return _dry_run_plan(lambda: _schedule_plan(context, request), plan_schedule(request, ExistingRecords(), ()))
    plan = _schedule_plan(context, request)
    schedule(context.kubeflow, plan)
    return _done(str(plan))


def _schedule_plan(context: Context, request: ScheduleRequest) -> SchedulePlan:
    existing = list_schedules(context.kubeflow, name=request.name)
    return plan_schedule(request, _find_existing(context, request), existing)


def _find_existing(context: Context, request: RunRequest | ScheduleRequest) -> ExistingRecords:
    return find_existing(context.kubeflow, request.package, request.experiment)


def _schedule_request(options: argparse.Namespace, context: Context) -> ScheduleRequest:
    _check_concurrency(options)
    package = read_package(context.package)
    cron, interval, meaning = _times(options, context.now)
    settings = Settings(
        version=package.version,
        cron=cron,
        interval_seconds=interval,
        max_concurrency=options.max_concurrency,
        catch_up=options.catch_up,
        parameters=read_parameters(options.parameter, package, scheduled=True),
        pipeline_root=options.pipeline_root,
        service_account=options.service_account,
    )
    return ScheduleRequest(
        name=options.name,
        owner=context.pipeline_name,
        experiment=options.experiment or context.pipeline_name,
        package=package,
        settings=settings,
        enabled=not options.disable,
        meaning=meaning,
    )


def _check_concurrency(options: argparse.Namespace) -> None:
    if not 1 <= options.max_concurrency <= MAX_CONCURRENCY:
        raise CommandError(
            f"Kubeflow keeps --max-concurrency within 1 to {MAX_CONCURRENCY}. Received: {options.max_concurrency}."
        )


def _times(options: argparse.Namespace, now: datetime) -> tuple[str | None, int | None, str]:
    """Returns Kubeflow's cron expression, or seconds of an interval; and either in the user's words."""
    if options.interval is not None:
        if options.time_zone:
            raise CommandError("--time-zone goes with --cron; an interval counts from now. Received both. Drop it.")
        return None, read_interval(options.interval), f"Every {options.interval}."
    zone = options.time_zone or options.cluster_time_zone
    cron = in_zone_of_cluster(read_cron(options.cron), zone=zone, cluster_zone=options.cluster_time_zone, now=now)
    return str(cron), None, f"Cron {options.cron} in {zone}."


def _switch(options: argparse.Namespace, context: Context) -> str:
    if not (options.enable or options.disable):
        raise CommandError(
            "A schedule needs a time. Received: neither --cron nor --interval. "
            'Add --cron "0 3 * * 1" for Mondays at 3:00; to switch an existing one, --enable or --disable.'
        )
    existing = list_schedules(context.kubeflow, name=options.name)
    steps = steps_to_switch(options.name, context.pipeline_name, existing, enabled=options.enable)
    text = "\n".join(map(str, steps))
    if options.dry_run:
        return _dry_run(text)
    apply_steps(context.kubeflow, steps)
    return _done(text)


def _unschedule(options: argparse.Namespace, context: Context) -> str:
    existing = list_schedules(context.kubeflow, name=options.name)
    steps = steps_to_remove(options.name, context.pipeline_name, existing)
    text = "\n".join(map(str, steps))
    if options.dry_run:
        return _dry_run(text)
    apply_steps(context.kubeflow, steps)
    return _done(text)


def _runs(options: argparse.Namespace, context: Context) -> str:
    experiment = options.experiment or context.pipeline_name
    runs = list_runs(context.kubeflow, experiment, limit=options.limit)
    schedules = list_schedules(context.kubeflow)
    lines = [f"Runs of {experiment}, newest first:" if runs else f"No runs of {experiment}."]
    lines += [f"  {run.created_at}  {run.state:<9}  {run.run_id}  {run.name}" for run in runs]
    lines.append("Schedules:" if schedules else "No schedules.")
    lines += [
        f"  {one.name}  {one.when}  {'enabled' if one.enabled else 'disabled'}  "
        f"{'of ' + one.owner if one.owner else 'not ours'}  {one.schedule_id}"
        for one in schedules
    ]
    return "\n".join(lines)


def _problem_of(check: Callable[[], object]) -> Iterator[str]:
    """Yields the message of the error that `check` raises for the user, if it does."""
    try:
        check()
    except PipelineError as error:
        yield str(error)


def _dry_run_plan(ask: Callable[[], SubmitPlan | SchedulePlan], blank: SubmitPlan | SchedulePlan) -> str:
    """Returns the plan that `ask` makes of what Kubeflow has; `blank` where it cannot be reached, and why.

    Whoever plans may have no cluster at hand; one that refuses to answer is an error all the same.
    """
    try:
        return _dry_run(str(ask()))
    except KubeflowUnreachableError as error:
        return f"{_dry_run(str(blank), heading=NOT_ASKED)}\n{error}"


def _dry_run(text: str, *, heading: str = NOTHING_DONE) -> str:
    return "\n".join([heading, *(f"  {line}" for line in text.splitlines())])


def _done(text: str) -> str:
    return "\n".join(["Done:", *(f"  {line}" for line in text.splitlines())])
