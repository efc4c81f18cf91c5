"""When a task of the compiled pipeline runs: what is cached, what is tried again, what cannot run at all."""

from __future__ import annotations

import logging
from typing import Any

from pipeline.config.cluster import KubeflowConfig

logger = logging.getLogger(__name__)


def set_caching(spec: dict[str, Any], settings: KubeflowConfig) -> None:
    """Takes the components in ``settings.uncached`` out of Kubeflow's cache."""
    for name, task in _tasks(spec).items():
        if name in settings.uncached:
            task["cachingOptions"] = {"enableCache": False}


def set_retries(spec: dict[str, Any], settings: KubeflowConfig) -> None:
    """Has every failed task tried again, with growing waits."""
    if settings.retries == 0:
        return
    for task in _tasks(spec).values():
        task["retryPolicy"] = {
            "maxRetryCount": settings.retries,
            "backoffDuration": f"{settings.retry_backoff_seconds}s",
            "backoffFactor": settings.retry_backoff_factor,
            "backoffMaxDuration": f"{settings.retry_backoff_max_seconds}s",
        }


def drop_resolvers(spec: dict[str, Any]) -> None:
    """Leaves out tasks that look up earlier artifacts, and the inputs that would come from them.

    Open-source Kubeflow refuses a pipeline with one ("resolver not implemented yet"). TFX has them for optional
    inputs only: without its baseline, Evaluator judges a model by the thresholds alone.
    """
    executors = spec["deploymentSpec"]["executors"]
    labels = {label for label, executor in executors.items() if "resolver" in executor}
    dropped = {
        name
        for name, task in _tasks(spec).items()
        if spec["components"][task["componentRef"]["name"]].get("executorLabel") in labels
    }
    if not dropped:
        return
    logger.info("Left out, because Kubeflow cannot run it: %s", ", ".join(sorted(dropped)))
    for label in labels:
        del executors[label]
    for name in dropped:
        del spec["components"][_tasks(spec).pop(name)["componentRef"]["name"]]
    for task in _tasks(spec).values():
        _forget(spec, task, dropped)


def _forget(spec: dict[str, Any], task: dict[str, Any], dropped: set[str]) -> None:
    task["dependentTasks"] = [name for name in task.get("dependentTasks", []) if name not in dropped]
    given = task.get("inputs", {}).get("artifacts", {})
    definitions = spec["components"][task["componentRef"]["name"]].get("inputDefinitions", {}).get("artifacts", {})
    for key in [key for key, source in given.items() if source["taskOutputArtifact"]["producerTask"] in dropped]:
        del given[key], definitions[key]


def _tasks(spec: dict[str, Any]) -> dict[str, Any]:
    return spec["root"]["dag"]["tasks"]
