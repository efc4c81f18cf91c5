"""Runs: submitting one, waiting for its end, listing them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from pipeline.kubeflow.client import (
    KubeflowClient,
    KubeflowConflictError,
    KubeflowError,
    KubeflowServerError,
    KubeflowUnreachableError,
    named,
)
from pipeline.kubeflow.versions import Package, VersionIds, find_version, upload

logger = logging.getLogger(__name__)

SUCCEEDED = "SUCCEEDED"
ENDED = frozenset({SUCCEEDED, "SKIPPED", "FAILED", "CANCELED"})
POLL_SECONDS = 10.0
LOST_LOOKS = 5  # in a row, that waiting for a run puts up with


class RunFailedError(KubeflowError):
    """A run ended, and not well."""


class RunNotEndedError(KubeflowError):
    """A run takes longer than somebody was willing to wait."""


@dataclass(frozen=True)
class RunRequest:
    """A run to create."""

    name: str
    experiment: str
    package: Package
    parameters: tuple[tuple[str, Any], ...] = ()
    pipeline_root: str | None = None
    service_account: str | None = None


@dataclass(frozen=True)
class ExistingRecords:
    """The server's records of a package and an experiment; by default nothing."""

    version: VersionIds = field(default_factory=VersionIds)
    experiment_id: str | None = None


@dataclass(frozen=True)
class SubmitPlan:
    """The steps of submitting, given what the server has already; pure."""

    request: RunRequest
    found: ExistingRecords

    def __str__(self) -> str:
        """Returns one line per step."""
        request = self.request
        return "\n".join(
            [
                *describe_upload(request.package, self.found.version),
                *describe_experiment(request.experiment, self.found.experiment_id),
                f"create run {request.name}" + describe_parameters(request.parameters),
            ]
        )


@dataclass(frozen=True)
class Run:
    """A run as the server tells of it."""

    run_id: str
    name: str
    state: str
    created_at: str  # ISO 8601, UTC
    schedule_id: str | None
    error: str
    failed_tasks: tuple[str, ...]


def find_existing(kubeflow: KubeflowClient, package: Package, experiment: str) -> ExistingRecords:
    """Returns what the server has already; changes nothing."""
    return ExistingRecords(find_version(kubeflow, package), find_experiment(kubeflow, experiment))


def submit(kubeflow: KubeflowClient, plan: SubmitPlan) -> str:
    """Carries `plan` out.

    Returns:
        The id of the run.
    """
    request, models = plan.request, kubeflow.client.api_models
    version = upload(kubeflow, request.package, plan.found.version)
    run = models.V2beta1Run(
        experiment_id=plan.found.experiment_id or create_experiment(kubeflow, request.experiment),
        display_name=request.name,
        service_account=request.service_account,
        **specification(kubeflow, version, request.parameters, request.pipeline_root),
    )
    created = kubeflow.call(kubeflow.client.runs.run_service_create_run, run)
    logger.info("Created run %s: %s", created.run_id, request.name)
    return str(created.run_id)


def specification(
    kubeflow: KubeflowClient,
    version: VersionIds,
    parameters: tuple[tuple[str, Any], ...],
    pipeline_root: str | None,
) -> dict[str, Any]:
    """Returns the part that runs and schedules have in common: which version, with which values."""
    models = kubeflow.client.api_models
    return {
        "pipeline_version_reference": models.V2beta1PipelineVersionReference(
            pipeline_id=version.pipeline_id, pipeline_version_id=version.version_id
        ),
        "runtime_config": models.V2beta1RuntimeConfig(parameters=dict(parameters), pipeline_root=pipeline_root),
    }


def wait(
    kubeflow: KubeflowClient,
    run_id: str,
    *,
    limit_seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Run:
    """Waits until the run has ended well.

    kfp's own waiting never ends for a run that somebody cancelled.

    Raises:
        RunFailedError: If it ends otherwise.
        RunNotEndedError: After `limit_seconds`.
    """
    deadline = clock() + limit_seconds
    lost = 0
    while (run := _poll_run(kubeflow, run_id, may_fail=lost < LOST_LOOKS)) is None or run.state not in ENDED:
        lost = lost + 1 if run is None else 0
        if clock() >= deadline:
            raise RunNotEndedError(
                f"Run {run_id} must end within {limit_seconds / 60:g} minutes. "
                f"Received: state {run.state if run else 'unknown'}. "
                "It goes on; look with `runs`, or wait longer."
            )
        sleep(POLL_SECONDS)
    if run.state != SUCCEEDED:
        tasks = f" in {', '.join(run.failed_tasks)}" if run.failed_tasks else ""
        reason = f": {run.error}" if run.error else ""
        raise RunFailedError(
            f"Run {run_id} must succeed. Received: state {run.state}{tasks}{reason}. "
            "The log of that step's pod has the reason (web interface, or kubectl logs)."
        )
    return run


def _poll_run(kubeflow: KubeflowClient, run_id: str, *, may_fail: bool) -> Run | None:
    """Returns the run, or nothing where the server is away for a moment: a run takes hours."""
    try:
        return get_run(kubeflow, run_id)
    except (KubeflowUnreachableError, KubeflowServerError):
        if not may_fail:
            raise
        logger.warning("Kubeflow did not answer; the run goes on, and is looked at again in %g s", POLL_SECONDS)
        return None


def get_run(kubeflow: KubeflowClient, run_id: str) -> Run:
    """Returns one run."""
    return _run(kubeflow.call(kubeflow.client.runs.run_service_get_run, run_id))


def list_runs(kubeflow: KubeflowClient, experiment: str, *, limit: int) -> Sequence[Run]:
    """Returns the experiment's latest runs, newest first; none if there is no such experiment."""
    experiment_id = find_experiment(kubeflow, experiment)
    if experiment_id is None:
        return ()
    found = kubeflow.pages(
        kubeflow.client.runs.run_service_list_runs, "runs", experiment_id=experiment_id, sort_by="created_at desc"
    )
    return tuple(map(_run, islice(found, limit)))


def _run(run: Any) -> Run:
    tasks = (run.run_details and run.run_details.task_details) or ()
    return Run(
        run_id=run.run_id,
        name=run.display_name or "",
        state=run.state or "PENDING",
        created_at=run.created_at.isoformat(timespec="seconds") if run.created_at else "",
        schedule_id=run.recurring_run_id or None,
        error=(run.error and run.error.message) or "",
        failed_tasks=tuple(sorted(task.display_name or "" for task in tasks if task.state == "FAILED")),
    )


# ------------------------------------------------------------------------------------------------ Experiments


def find_experiment(kubeflow: KubeflowClient, name: str) -> str | None:
    """Returns the id of the experiment with this name."""
    namespace = kubeflow.connection.namespace
    found = kubeflow.pages(
        kubeflow.client.experiments.experiment_service_list_experiments,
        "experiments",
        filter=named(name),
        **({"namespace": namespace} if namespace else {}),
    )
    return next((one.experiment_id for one in found if one.display_name == name), None)


def create_experiment(kubeflow: KubeflowClient, name: str) -> str:
    """Creates an experiment, unless somebody else just has."""
    experiment = kubeflow.client.api_models.V2beta1Experiment(
        display_name=name, namespace=kubeflow.connection.namespace
    )
    try:
        created = kubeflow.call(kubeflow.client.experiments.experiment_service_create_experiment, experiment)
    except KubeflowConflictError:
        found = find_experiment(kubeflow, name)
        if found is None:
            raise
        return found
    return str(created.experiment_id)


# ------------------------------------------------------------------------------------------------ Plans, to read


def describe_upload(package: Package, known: VersionIds) -> list[str]:
    """Returns the steps that bring `package` to the server."""
    if known.version_id:
        return [f"use pipeline {package.pipeline}, version {package.version}"]
    create = [] if known.pipeline_id else [f"create pipeline {package.pipeline}"]
    return [*create, f"upload {package.path.name} as version {package.version} of {package.pipeline}"]


def describe_experiment(name: str, experiment_id: str | None) -> list[str]:
    """Returns the step that makes the experiment, if it takes one."""
    return [] if experiment_id else [f"create experiment {name}"]


def describe_parameters(parameters: tuple[tuple[str, Any], ...]) -> str:
    """Returns the parameters, at the end of a line."""
    return " with " + ", ".join(f"{name}={value}" for name, value in parameters) if parameters else ""
