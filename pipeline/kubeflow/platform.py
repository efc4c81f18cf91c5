"""Kubernetes settings of each component's pod: secrets, nodes, volumes, time limits.

The form is that of KubernetesExecutorConfig in
https://github.com/kubeflow/pipelines/blob/master/kubernetes_platform/proto/kubernetes_executor_config.proto; names
stand there twice, as the kfp package writes them, for Kubeflow before and since it takes them from parameters.
"""

from __future__ import annotations

from typing import Any

from pipeline.config import PipelineConfig
from pipeline.config.cluster import KubeflowConfig

TRAINERS = ("Trainer_executor", "Tuner_executor")
EXAMPLE_GEN = "ImportExampleGen_executor"
HUB_USERS = ("HFPusher_executor", "BaselineModel_executor", "InitialModel_executor")


def platform_spec(spec: dict[str, Any], config: PipelineConfig) -> dict[str, Any]:
    """Returns the platform document of a compiled pipeline."""
    executors = {label: pod(label, config) for label in sorted(spec["deploymentSpec"]["executors"])}
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}


def pod(label: str, config: PipelineConfig) -> dict[str, Any]:
    """Returns the settings of one executor's pod."""
    settings = config.kubeflow
    chosen: dict[str, Any] = {
        "imagePullPolicy": settings.image_pull_policy,
        "activeDeadlineSeconds": str(
            settings.trainer_timeout_seconds if label in TRAINERS else settings.timeout_seconds
        ),
    }
    if settings.image_pull_secret is not None:
        chosen["imagePullSecret"] = [_named_secret(settings.image_pull_secret)]
    if label in TRAINERS:
        chosen |= _node(settings)
    if label == EXAMPLE_GEN and settings.data_claim is not None:
        chosen["pvcMount"] = [
            {
                "constant": settings.data_claim,
                "pvcNameParameter": _constant(settings.data_claim),
                "mountPath": settings.data_mount,
            }
        ]
    if label in HUB_USERS and config.publish.endpoint != "local":
        chosen["secretAsEnv"] = [_token(settings, config.publish.token_env)]
    return chosen


def _node(settings: KubeflowConfig) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    if settings.node_selector:
        chosen["nodeSelector"] = {"labels": dict(label.split("=", 1) for label in settings.node_selector)}
    if settings.gpus and settings.gpu_taint is not None:
        chosen["tolerations"] = [{"key": settings.gpu_taint, "operator": "Exists", "effect": "NoSchedule"}]
    return chosen


def _token(settings: KubeflowConfig, variable: str) -> dict[str, Any]:
    """Returns the Hub's token as an environment variable; only the secret's name and key are written down."""
    keys = [{"secretKey": settings.token_secret_key, "envVar": variable}]
    return {**_named_secret(settings.token_secret), "keyToEnv": keys, "optional": False}


def _named_secret(name: str) -> dict[str, Any]:
    return {"secretName": name, "secretNameParameter": _constant(name)}


def _constant(value: str) -> dict[str, Any]:
    return {"runtimeValue": {"constant": value}}
