"""From a configuration to the file that Kubeflow Pipelines runs.

TFX's KubeflowV2DagRunner translates the graph. What it does not write (resources, retries, caching per component,
pipeline parameters, secrets) and what open-source Kubeflow cannot read is put right in the steps below, each a
plain function over the compiled form, a tree of dicts as in
https://github.com/kubeflow/pipelines/blob/master/api/v2alpha1/pipeline_spec.proto.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig
from tfx.orchestration.pipeline import Pipeline

from pipeline.config import PipelineConfig
from pipeline.kubeflow import artifacts, checks, containers, parameters, platform, tasks
from pipeline.pipeline import create_pipeline

Spec = dict[str, Any]


class Package(NamedTuple):
    """The two documents of a compiled pipeline."""

    pipeline: Spec  # PipelineSpec
    platform: Spec  # PlatformSpec


def compile_pipeline(config: PipelineConfig) -> Package:
    """Returns the pipeline of `config` as Kubeflow Pipelines reads it.

    Raises:
        checks.CompileError: With every reason why this configuration cannot be compiled.
    """
    checks.check(config)
    settings = config.kubeflow
    pipeline = create_pipeline(
        config, project_dir=settings.project_folder, root=settings.pipeline_root, has_history=False
    )
    spec = _translated(pipeline, settings.image)
    spec["defaultPipelineRoot"] = settings.pipeline_root
    tasks.set_caching(spec, settings)
    tasks.set_retries(spec, settings)
    containers.use_entrypoint(spec, pipeline)
    containers.set_resources(spec, settings)
    if settings.artifact_types == "system":
        artifacts.use_system_types(spec)
    parameters.add_parameters(spec, config)
    return Package(spec, platform.platform_spec(spec, config))


def write_package(package: Package, path: Path, *, command: str) -> None:
    """Writes `package` as the YAML file that the kfp client and Kubeflow's pages upload.

    Args:
        package: from :func:`compile_pipeline`.
        path: file to write; its folder is made if need be.
        command: how to make this file again, for its heading.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    documents = yaml.safe_dump_all([package.pipeline, package.platform], sort_keys=True, width=120)
    path.write_text(f"{heading(package.pipeline, command)}{documents}", encoding="utf-8")


def heading(spec: Spec, command: str) -> str:
    """Returns comment lines for a reader: the name, the parameters with their defaults, and how the file was made."""
    lines = ["PIPELINE DEFINITION", f"Name: {spec['pipelineInfo']['name']}", f"Made by: {command}"]
    inputs = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    if inputs:
        lines.append("Inputs:")
        lines += [f"   {name} [Default: {inputs[name]['defaultValue']!r}]" for name in sorted(inputs)]
    return "".join(f"# {line}\n" for line in lines)


def command_line(arguments: list[str]) -> str:
    """Returns the command with these `arguments`, as one types it."""
    return shlex.join(["python", "kubeflow_runner.py", *arguments])


def _translated(pipeline: Pipeline, image: str) -> Spec:
    runner = KubeflowV2DagRunner(KubeflowV2DagRunnerConfig(default_image=image, use_pipeline_spec_2_1=True))
    return dict(runner.run(pipeline, write_out=False)["pipelineSpec"])
