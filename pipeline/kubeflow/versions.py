"""Compiled pipelines on the server: one version per content, uploaded once and used again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import PipelineError
from pipeline.kubeflow import macros
from pipeline.kubeflow.client import KubeflowClient, KubeflowConflictError, named

VERSION_DIGITS = 12  # hexadecimal, of the package's SHA-256


class PackageError(PipelineError, ValueError):
    """A compiled pipeline, or parameters for it, that cannot be submitted."""


@dataclass(frozen=True)
class Package:
    """A compiled pipeline."""

    path: Path
    pipeline: str  # its name on the server
    version: str  # its name there: the same contents have the same
    parameters: tuple[tuple[str, Mapping[str, Any]], ...]  # name and specification


@dataclass(frozen=True)
class VersionIds:
    """Ids that the server has for a package; None where it knows nothing yet."""

    pipeline_id: str | None = None
    version_id: str | None = None


def read_package(path: Path) -> Package:
    """Returns the compiled pipeline at `path`.

    Raises:
        PackageError: If there is none.
    """
    try:
        documents = list(yaml.safe_load_all(path.read_bytes()))
        specification = documents[0]
        pipeline = specification["pipelineInfo"]["name"]
        root = specification["root"]
    except (OSError, yaml.YAMLError, KeyError, TypeError, IndexError) as error:
        raise PackageError(
            "A package is a compiled pipeline, a .yaml file. "
            f"Received: {path}, {type(error).__name__}. Make it first: python kubeflow_runner.py compile."
        ) from error
    parameters = root.get("inputDefinitions", {}).get("parameters", {})
    # Of what it says, not of the file: a comment that tells how it was made is no other version.
    contents = json.dumps(documents, sort_keys=True, default=str)
    digest = hashlib.sha256(contents.encode()).hexdigest()[:VERSION_DIGITS]
    return Package(path, pipeline, f"sha256-{digest}", tuple(sorted(parameters.items())))


def read_parameters(given: Sequence[str], package: Package, *, scheduled: bool) -> tuple[tuple[str, Any], ...]:
    """Returns the values of ``NAME=VALUE`` texts, in the types that the package declares.

    Args:
        given: as on the command line.
        package: declares the parameters.
        scheduled: whether they may hold ``[[ScheduledTime]]`` and the like.

    Raises:
        PackageError: If one is not declared, has the wrong type, or is missing.
    """
    declared = dict(package.parameters)
    values: dict[str, Any] = {}
    for text in given:
        name, value = name_and_value(text, declared)
        values[name] = _typed(name, value, declared[name], scheduled=scheduled)
    missing = [name for name, spec in declared.items() if name not in values and _required(spec)]
    if missing:
        raise PackageError(
            "Every parameter without a default needs a value. "
            f"Received: none for {', '.join(missing)}. Add --parameter {missing[0]}=VALUE."
        )
    return tuple(sorted(values.items()))


def name_and_value(text: str, declared: Collection[str]) -> tuple[str, str]:
    """Returns the two parts of a ``NAME=VALUE`` text.

    Raises:
        PackageError: If it is none, or the name is not one of `declared`.
    """
    name, equals, value = text.partition("=")
    if not equals or name not in declared:
        raise PackageError(
            "A parameter is NAME=VALUE, with a name that the compiled pipeline declares. "
            f"Received: {text!r}. It declares: {', '.join(declared) or 'none'}."
        )
    return name, value


def find_version(kubeflow: KubeflowClient, package: Package) -> VersionIds:
    """Returns the ids that the server has for `package`."""
    pipelines = kubeflow.client.pipelines
    namespace = kubeflow.connection.namespace
    found = kubeflow.pages(
        pipelines.pipeline_service_list_pipelines,
        "pipelines",
        filter=named(package.pipeline),
        **({"namespace": namespace} if namespace else {}),
    )
    pipeline_id = next((one.pipeline_id for one in found if one.display_name == package.pipeline), None)
    if pipeline_id is None:
        return VersionIds()
    versions = kubeflow.pages(
        pipelines.pipeline_service_list_pipeline_versions,
        "pipeline_versions",
        pipeline_id=pipeline_id,
        filter=named(package.version),
    )
    version_id = next((one.pipeline_version_id for one in versions if one.display_name == package.version), None)
    return VersionIds(pipeline_id, version_id)


def upload(kubeflow: KubeflowClient, package: Package, known: VersionIds) -> VersionIds:
    """Uploads what is not there yet; somebody else doing the same meanwhile is fine."""
    if known.version_id is not None:
        return known
    pipeline_id = known.pipeline_id or _create_pipeline(kubeflow, package)
    try:
        version = kubeflow.call(
            kubeflow.client.pipeline_uploads.upload_pipeline_version,
            str(package.path),
            name=package.version,
            pipelineid=pipeline_id,
        )
    except KubeflowConflictError:
        return _found(kubeflow, package)
    return VersionIds(pipeline_id, version.pipeline_version_id)


def _create_pipeline(kubeflow: KubeflowClient, package: Package) -> str:
    """Returns an empty pipeline: uploading one whole would name its first version after the pipeline, not its
    contents."""
    client, namespace = kubeflow.client, kubeflow.connection.namespace
    pipeline = client.api_models.V2beta1Pipeline(
        display_name=package.pipeline, name=resource_name(package.pipeline), namespace=namespace
    )
    try:
        created = kubeflow.call(client.pipelines.pipeline_service_create_pipeline, pipeline)
    except KubeflowConflictError:
        found = find_version(kubeflow, package).pipeline_id
        if found is None:
            raise
        return found
    return str(created.pipeline_id)


def _found(kubeflow: KubeflowClient, package: Package) -> VersionIds:
    found = find_version(kubeflow, package)
    if found.version_id is None:
        raise KubeflowConflictError(
            f"A version must be there once the server has said that it exists. Received: none named {package.version} "
            f"of {package.pipeline}. Delete what hides it in the web interface, or change the pipeline's name."
        )
    return found


def resource_name(text: str) -> str:
    """Returns `text` as Kubernetes allows it for a name: lower case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _required(specification: Mapping[str, Any]) -> bool:
    return not specification.get("isOptional") and "defaultValue" not in specification


def _typed(name: str, text: str, specification: Mapping[str, Any], *, scheduled: bool) -> Any:
    kind = specification.get("parameterType", "STRING")
    if macros.MACRO.search(text) and not scheduled:
        raise PackageError(
            "[[…]] stands for the time of a scheduled run, so only schedules may have it. "
            f"Received: {name}={text}. Give the value itself."
        )
    if kind == "STRING":
        macros.check(text)
        return text
    try:
        value = float(text) if kind == "NUMBER_DOUBLE" else json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, PARAMETER_TYPES[kind]) or (kind == "NUMBER_INTEGER" and isinstance(value, bool)):
        raise PackageError(f"Parameter {name} has the type {kind}. Received: {text!r}. Write it as JSON.")
    return value


PARAMETER_TYPES: dict[str, type] = {
    "NUMBER_INTEGER": int,
    "NUMBER_DOUBLE": float,
    "BOOLEAN": bool,
    "LIST": list,
    "STRUCT": dict,
}
