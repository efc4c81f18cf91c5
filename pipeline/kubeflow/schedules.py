"""Schedules: recurring runs that this project made, told apart from everybody else's by name and owner.

Kubeflow has no way to change a recurring run, so one with other settings is made first, and the old one deleted
then: a failure between the two leaves a schedule too many, which the next call removes, and never none.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.kubeflow.client import KubeflowClient, KubeflowError, KubeflowNotFoundError, named
from pipeline.kubeflow.runs import (
    create_experiment,
    describe_experiment,
    describe_parameters,
    describe_upload,
    find_experiment,
    specification,
)
from pipeline.kubeflow.versions import Package, VersionIds, find_version, upload

logger = logging.getLogger(__name__)

OWNER_MARK = "made by gpt2-alpaca-pipeline for "  # the last line of a description, before the owner
MAX_CONCURRENCY = 10  # Kubeflow silently takes this for anything above


class ScheduleNotFoundError(KubeflowError):
    """There is no schedule of ours with this name."""


@dataclass(frozen=True)
class Settings:
    """What a schedule does; two with equal settings are the same."""

    version_id: str | None  # None while the version is not on the server
    cron: str | None  # in Kubeflow's form and time zone
    interval_seconds: int | None  # exactly one of the two is set
    max_concurrency: int = 1
    catch_up: bool = False
    parameters: tuple[tuple[str, Any], ...] = ()
    pipeline_root: str | None = None
    service_account: str | None = None


@dataclass(frozen=True)
class ScheduleRequest:
    """A schedule that there should be."""

    name: str
    owner: str
    experiment: str
    package: Package
    settings: Settings
    enabled: bool = True
    meaning: str = ""  # the time as the user wrote it, for the description


@dataclass(frozen=True)
class Schedule:
    """A recurring run that there is."""

    schedule_id: str
    name: str
    owner: str | None  # None if somebody else made it
    enabled: bool
    settings: Settings


@dataclass(frozen=True)
class Create:
    """Make the schedule that was asked for."""

    def __str__(self) -> str:
        return "create schedule"


@dataclass(frozen=True)
class Delete:
    """Remove one of ours."""

    schedule_id: str

    def __str__(self) -> str:
        return f"delete schedule {self.schedule_id}"


@dataclass(frozen=True)
class Switch:
    """Enable or disable one of ours."""

    schedule_id: str
    enabled: bool

    def __str__(self) -> str:
        return f"{'enable' if self.enabled else 'disable'} schedule {self.schedule_id}"


@dataclass(frozen=True)
class Keep:
    """One that needs no change, or is not ours to change."""

    schedule_id: str
    reason: str

    def __str__(self) -> str:
        return f"keep schedule {self.schedule_id}: {self.reason}"


Step = Create | Delete | Switch | Keep


@dataclass(frozen=True)
class SchedulePlan:
    """What it takes to have the schedule that was asked for, given what the server has already."""

    request: ScheduleRequest
    version: VersionIds
    experiment_id: str | None
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        """One line per step."""
        lines: list[str] = []
        for step in self.steps:
            if isinstance(step, Create):
                lines += describe_upload(self.request.package, self.version)
                lines += describe_experiment(self.request.experiment, self.experiment_id)
                lines.append(_describe_create(self.request))
            else:
                lines.append(str(step))
        return "\n".join(lines)


def plan_schedule(kubeflow: KubeflowClient, request: ScheduleRequest) -> SchedulePlan:
    """Looks at what the server has; changes nothing. The version's id in `request` is filled in."""
    version = find_version(kubeflow, request.package)
    steps = steps_to(request, version.version_id, list_schedules(kubeflow, name=request.name))
    return SchedulePlan(request, version, find_experiment(kubeflow, request.experiment), steps)


def steps_to(request: ScheduleRequest, version_id: str | None, existing: Sequence[Schedule]) -> tuple[Step, ...]:
    """The steps from the schedules that there are to the one that was asked for; pure."""
    settings = with_version(request.settings, version_id)
    ours = [schedule for schedule in existing if schedule.owner == request.owner and schedule.name == request.name]
    theirs = [schedule for schedule in existing if schedule not in ours]
    fitting = next((s for s in ours if version_id is not None and s.settings == settings), None)
    kept: list[Step] = [Keep(schedule.schedule_id, "it is not ours") for schedule in theirs]
    superfluous: list[Step] = [Delete(schedule.schedule_id) for schedule in ours if schedule is not fitting]
    if fitting is None:
        return (*kept, Create(), *superfluous)
    if fitting.enabled == request.enabled:
        return (*kept, Keep(fitting.schedule_id, "it is as asked for"), *superfluous)
    return (*kept, Switch(fitting.schedule_id, request.enabled), *superfluous)


def schedule(kubeflow: KubeflowClient, plan: SchedulePlan) -> str | None:
    """Carries `plan` out.

    Returns:
        The id of the schedule, if one was created.
    """
    created: str | None = None
    for step in plan.steps:
        if isinstance(step, Create):
            created = _create(kubeflow, plan)
        else:
            _carry_out(kubeflow, step)
    return created


def steps_to_switch(name: str, owner: str, existing: Sequence[Schedule], *, enabled: bool) -> tuple[Step, ...]:
    """The steps that enable or disable our schedules of this name; pure.

    Raises:
        ScheduleNotFoundError: If there is none.
    """
    return tuple(
        Keep(one.schedule_id, f"it is {'enabled' if enabled else 'disabled'} already")
        if one.enabled == enabled
        else Switch(one.schedule_id, enabled)
        for one in _ours(name, owner, existing)
    )


def steps_to_remove(name: str, owner: str, existing: Sequence[Schedule]) -> tuple[Step, ...]:
    """The steps that remove our schedules of this name; pure.

    Raises:
        ScheduleNotFoundError: If there is none.
    """
    return tuple(Delete(one.schedule_id) for one in _ours(name, owner, existing))


def carry_out(kubeflow: KubeflowClient, steps: Sequence[Step]) -> None:
    """Does what :func:`steps_to_switch` or :func:`steps_to_remove` gave."""
    for step in steps:
        _carry_out(kubeflow, step)


def list_schedules(kubeflow: KubeflowClient, *, name: str | None = None) -> tuple[Schedule, ...]:
    """The schedules of the namespace, everybody's."""
    namespace = kubeflow.connection.namespace
    options = {"filter": named(name)} if name else {}
    if namespace:
        options["namespace"] = namespace
    method = kubeflow.client.recurring_runs.recurring_run_service_list_recurring_runs
    return tuple(map(_schedule, kubeflow.pages(method, "recurring_runs", **options)))


def with_version(settings: Settings, version_id: str | None) -> Settings:
    """`settings` for that version."""
    values = {**settings.__dict__, "version_id": version_id}
    return Settings(**values)


# --------------------------------------------------------------------------------------------------- Steps


def _create(kubeflow: KubeflowClient, plan: SchedulePlan) -> str:
    request, models = plan.request, kubeflow.client.api_models
    version = upload(kubeflow, request.package, plan.version)
    settings = request.settings
    recurring_run = models.V2beta1RecurringRun(
        display_name=request.name,
        description=_description(request),
        experiment_id=plan.experiment_id or create_experiment(kubeflow, request.experiment),
        trigger=_trigger(models, settings),
        mode="ENABLE" if request.enabled else "DISABLE",
        max_concurrency=str(settings.max_concurrency),
        no_catchup=not settings.catch_up,
        service_account=settings.service_account,
        **specification(kubeflow, version, settings.parameters, settings.pipeline_root),
    )
    method = kubeflow.client.recurring_runs.recurring_run_service_create_recurring_run
    created = kubeflow.call(method, recurring_run)
    logger.info("Created schedule %s: %s", created.recurring_run_id, request.name)
    return str(created.recurring_run_id)


def _carry_out(kubeflow: KubeflowClient, step: Step) -> None:
    api = kubeflow.client.recurring_runs
    if isinstance(step, Switch):
        enable, disable = (
            api.recurring_run_service_enable_recurring_run,
            api.recurring_run_service_disable_recurring_run,
        )
        kubeflow.call(enable if step.enabled else disable, step.schedule_id)
    elif isinstance(step, Delete):
        try:
            kubeflow.call(api.recurring_run_service_delete_recurring_run, step.schedule_id)
        except KubeflowNotFoundError:
            logger.info("Schedule %s is gone already", step.schedule_id)


def _trigger(models: Any, settings: Settings) -> Any:
    if settings.cron is not None:
        return models.V2beta1Trigger(cron_schedule=models.V2beta1CronSchedule(cron=settings.cron))
    periodic = models.V2beta1PeriodicSchedule(interval_second=str(settings.interval_seconds))
    return models.V2beta1Trigger(periodic_schedule=periodic)


def _ours(name: str, owner: str, existing: Sequence[Schedule]) -> list[Schedule]:
    ours = [one for one in existing if one.name == name and one.owner == owner]
    if not ours:
        others = f"; {len(existing)} of that name are not ours" if existing else ""
        raise ScheduleNotFoundError(
            f"There must be a schedule {name!r} of {owner}. Received: none{others}. Look with `runs`."
        )
    return ours


# ----------------------------------------------------------------------------------------- Records, read and written


def _description(request: ScheduleRequest) -> str:
    return f"{request.meaning}\n{OWNER_MARK}{request.owner}".lstrip()


def _owner(description: str | None) -> str | None:
    last = (description or "").splitlines()[-1:] or [""]
    return last[0].removeprefix(OWNER_MARK) if last[0].startswith(OWNER_MARK) else None


def _schedule(record: Any) -> Schedule:
    cron = record.trigger and record.trigger.cron_schedule
    periodic = record.trigger and record.trigger.periodic_schedule
    reference, config = record.pipeline_version_reference, record.runtime_config
    parameters: Mapping[str, Any] = (config and config.parameters) or {}
    return Schedule(
        schedule_id=record.recurring_run_id,
        name=record.display_name or "",
        owner=_owner(record.description),
        enabled=record.status != "DISABLED" if record.status else record.mode != "DISABLE",
        settings=Settings(
            version_id=reference.pipeline_version_id if reference else None,
            cron=cron.cron if cron else None,
            interval_seconds=int(periodic.interval_second) if periodic else None,
            max_concurrency=int(record.max_concurrency or 1),
            catch_up=not record.no_catchup,
            parameters=tuple(sorted(parameters.items())),
            pipeline_root=(config and config.pipeline_root) or None,
            service_account=record.service_account or None,
        ),
    )


def _describe_create(request: ScheduleRequest) -> str:
    settings = request.settings
    when = f"cron {settings.cron}" if settings.cron is not None else f"every {settings.interval_seconds} s"
    traits = [
        when,
        f"at most {settings.max_concurrency} at a time",
        "with catch-up" if settings.catch_up else "no catch-up",
        "enabled" if request.enabled else "disabled",
    ]
    return f"create schedule {request.name}: {', '.join(traits)}{describe_parameters(settings.parameters)}"
