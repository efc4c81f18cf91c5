"""Containers of the compiled pipeline's components: their command and their share of a node."""

from __future__ import annotations

import json
from typing import Any

from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.pipeline import Pipeline
from tfx.utils import name_utils

from pipeline.config.cluster import KubeflowConfig
from pipeline.kubeflow.platform import TRAINERS

ENTRYPOINT = ["python", "-m", "pipeline.kubeflow.entrypoint"]


def use_entrypoint(spec: dict[str, Any], pipeline: Pipeline) -> None:
    """Has each container start this project's entrypoint instead of TFX's, and tells it what Kubeflow will not.

    That is: the artifacts' types, whether to look for the newest span, and the executor's own flags, which TFX does
    not compile (the hash of a schema, which keeps a changed one from being served from cache).
    """
    executors = spec["deploymentSpec"]["executors"]
    for node in pipeline.components:
        container = executors.get(f"{node.id}_executor", {}).get("container")
        if container is None:
            continue
        container["command"] = list(ENTRYPOINT)
        container["args"] = [
            *_without_artifacts(container["args"]),
            "--artifact_types",
            json.dumps(artifact_types(node), sort_keys=True),
            *(["--resolve_span"] if container.pop("lifecycle", None) else []),
            *node.executor_spec.extra_flags,
        ]


def artifact_types(node: BaseNode) -> dict[str, dict[str, str]]:
    """Returns the import paths of the classes of a component's input and output artifacts."""
    return {
        "inputs": {key: name_utils.get_full_name(channel.type) for key, channel in node.inputs.items()},
        "outputs": {key: name_utils.get_full_name(channel.type) for key, channel in node.outputs.items()},
    }


def set_resources(spec: dict[str, Any], settings: KubeflowConfig) -> None:
    """Reserves and limits processors and memory, and asks for the trainers' accelerators."""
    for label, executor in spec["deploymentSpec"]["executors"].items():
        prefix = "trainer_" if label in TRAINERS else ""
        resources: dict[str, Any] = {
            "resourceCpuRequest": getattr(settings, f"{prefix}cpu_request"),
            "resourceCpuLimit": getattr(settings, f"{prefix}cpu_limit"),
            "resourceMemoryRequest": getattr(settings, f"{prefix}memory_request"),
            "resourceMemoryLimit": getattr(settings, f"{prefix}memory_limit"),
        }
        if prefix and settings.gpus:
            resources["accelerator"] = {"resourceType": settings.gpu_resource, "resourceCount": str(settings.gpus)}
        executor["container"]["resources"] = resources


def _without_artifacts(arguments: list[str]) -> list[str]:
    """Returns the same arguments with the parameters' types alone in the description of the inputs.

    The artifacts' types there are YAML texts of a dozen lines each, which nobody reads.
    """
    position = arguments.index("--json_serialized_inputs_spec_args") + 1
    described = json.loads(arguments[position])
    kept = json.dumps({"parameters": described.get("parameters", {})}, sort_keys=True)
    return [*arguments[:position], kept, *arguments[position + 1 :]]
