"""Schedules: recurring runs that this project made, told apart from everybody else's by name and owner.

Kubeflow has no way to change a recurring run except to switch it on and off. So one with other settings is made
first, and the old one deleted then: a failure between the two leaves a schedule too many, which the next call
removes, and never none. A recurring run's description ends in its owner and a digest of the settings that were asked
for: the server's own record would not do, since it fills in what was left out.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pipeline.kubeflow.client import KubeflowClient, KubeflowError, KubeflowNotFoundError, named
from pipeline.kubeflow.runs import (
    ExistingRecords,
    create_experiment,
    describe_experiment,
    describe_parameters,
    describe_upload,
    specification,
)
from pipeline.kubeflow.versions import Package, upload

logger = logging.getLogger(__name__)

MARK = "made by gpt2-alpaca-pipeline for {owner}, settings {digest}"  # the last line of a description
READ_MARK = re.compile(r"made by gpt2-alpaca-pipeline for (\S+), settings ([0-9a-f]+)")
DIGEST_DIGITS = 16
MAX_CONCURRENCY = 10  # Kubeflow silently takes this for anything above


class ScheduleNotFoundError(KubeflowError):
    """There is no schedule of ours with this name."""


@dataclass(frozen=True)
class Settings:
    """Settings of a schedule; two with equal settings are the same."""

    version: str  # of the package, by its contents
    cron: str | None  # in Kubeflow's form and time zone
    interval_seconds: int | None  # exactly one of the two is set
    max_concurrency: int = 1
    catch_up: bool = False
    parameters: tuple[tuple[str, Any], ...] = ()
    pipeline_root: str | None = None
    service_account: str | None = None

    def digest(self) -> str:
        """Returns a short name for these settings."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:DIGEST_DIGITS]


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
    when: str
    enabled: bool
    owner: str | None = None  # None if somebody else made it
    digest: str | None = None  # of the settings that its owner asked for


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
    """The steps to the schedule that was asked for, given what the server has already."""

    request: ScheduleRequest
    found: ExistingRecords
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        """Returns one line per step."""
        lines: list[str] = []
        for step in self.steps:
            if isinstance(step, Create):
                lines += describe_upload(self.request.package, self.found.version)
                lines += describe_experiment(self.request.experiment, self.found.experiment_id)
                lines.append(_describe_create(self.request))
            else:
                lines.append(str(step))
        return "\n".join(lines)


def plan_schedule(request: ScheduleRequest, found: ExistingRecords, existing: Sequence[Schedule]) -> SchedulePlan:
    """Returns the steps from what the server has to what was asked for; pure."""
    return SchedulePlan(request, found, steps_to_schedule(request, existing))


def steps_to_schedule(request: ScheduleRequest, existing: Sequence[Schedule]) -> tuple[Step, ...]:
    """Returns the steps from the schedules that there are to the one that was asked for; pure."""
    ours = [one for one in existing if one.owner == request.owner and one.name == request.name]
    digest = request.settings.digest()
    fitting = next((one for one in ours if one.digest == digest), None)
    kept: list[Step] = [Keep(one.schedule_id, "it is not ours") for one in existing if one not in ours]
    superfluous: list[Step] = [Delete(one.schedule_id) for one in ours if one is not fitting]
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
            _apply_step(kubeflow, step)
    return created


def steps_to_switch(name: str, owner: str, existing: Sequence[Schedule], *, enabled: bool) -> tuple[Step, ...]:
    """Returns the steps that enable or disable our schedules of this name; pure.

    Raises:
        ScheduleNotFoundError: If there is none.
    """
    return tuple(
        Keep(one.schedule_id, f"it is {'enabled' if enabled else 'disabled'} already")
        if one.enabled == enabled
        else Switch(one.schedule_id, enabled)
        for one in _own_schedules(name, owner, existing)
    )


def steps_to_remove(name: str, owner: str, existing: Sequence[Schedule]) -> tuple[Step, ...]:
    """Returns the steps that remove our schedules of this name; pure.

    Raises:
        ScheduleNotFoundError: If there is none.
    """
    return tuple(Delete(one.schedule_id) for one in _own_schedules(name, owner, existing))


def apply_steps(kubeflow: KubeflowClient, steps: Sequence[Step]) -> None:
    """Does what :func:`steps_to_switch` or :func:`steps_to_remove` gave."""
    for step in steps:
        _apply_step(kubeflow, step)


def list_schedules(kubeflow: KubeflowClient, *, name: str | None = None) -> tuple[Schedule, ...]:
    """Returns the schedules of the namespace, everybody's."""
    namespace = kubeflow.connection.namespace
    options = {"filter": named(name)} if name else {}
    if namespace:
        options["namespace"] = namespace
    method = kubeflow.client.recurring_runs.recurring_run_service_list_recurring_runs
    return tuple(map(_schedule, kubeflow.pages(method, "recurring_runs", **options)))


# --------------------------------------------------------------------------------------------------- Steps


def _create(kubeflow: KubeflowClient, plan: SchedulePlan) -> str:
    request, models = plan.request, kubeflow.client.api_models
    version = upload(kubeflow, request.package, plan.found.version)
    settings = request.settings
    recurring_run = models.V2beta1RecurringRun(
        display_name=request.name,
        description=_description(request),
        experiment_id=plan.found.experiment_id or create_experiment(kubeflow, request.experiment),
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


def _apply_step(kubeflow: KubeflowClient, step: Step) -> None:
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


def _own_schedules(name: str, owner: str, existing: Sequence[Schedule]) -> list[Schedule]:
    ours = [one for one in existing if one.name == name and one.owner == owner]
    if not ours:
        others = f"; {len(existing)} of that name are not ours" if existing else ""
        raise ScheduleNotFoundError(
            f"There must be a schedule {name!r} of {owner}. Received: none{others}. Look with `runs`."
        )
    return ours


# ----------------------------------------------------------------------------------------- Records, read and written


def _description(request: ScheduleRequest) -> str:
    mark = MARK.format(owner=request.owner, digest=request.settings.digest())
    return f"{request.meaning}\n{mark}".lstrip()


def _schedule(record: Any) -> Schedule:
    mark = READ_MARK.fullmatch(((record.description or "").splitlines() or [""])[-1])
    schedule = Schedule(
        schedule_id=record.recurring_run_id,
        name=record.display_name or "",
        when=_trigger_text(record.trigger),
        enabled=record.status != "DISABLED" if record.status else record.mode != "DISABLE",
    )
    return replace(schedule, owner=mark[1], digest=mark[2]) if mark else schedule


def _trigger_text(trigger: Any) -> str:
    if trigger and trigger.cron_schedule:
        return f"cron {trigger.cron_schedule.cron}"
    if trigger and trigger.periodic_schedule:
        return f"every {trigger.periodic_schedule.interval_second} s"
    return "never"


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
