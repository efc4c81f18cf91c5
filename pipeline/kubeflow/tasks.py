"""Caching and retries of the compiled pipeline's tasks, and when each runs."""

from __future__ import annotations

from typing import Any

from pipeline.config.cluster import KubeflowConfig


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


def _tasks(spec: dict[str, Any]) -> dict[str, Any]:
    return spec["root"]["dag"]["tasks"]
