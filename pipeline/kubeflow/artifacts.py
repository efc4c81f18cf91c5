"""Types of the artifacts in the compiled pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

SCHEMA_VERSION = "0.0.1"
# TFX's type -> the nearest one of Kubeflow's own, which its pages know how to show.
SYSTEM_TYPES = {"tfx.Examples": "system.Dataset", "tfx.Model": "system.Model", "tfx.PushedModel": "system.Model"}
OTHER = "system.Artifact"


def use_system_types(spec: dict[str, Any]) -> None:
    """Replaces TFX's types, schemas in YAML, by Kubeflow's own.

    Kubeflow keeps a type's title alone, and releases that store artifacts themselves rather than in ML Metadata
    refuse a title that is not theirs ("unknown artifact type"). The entrypoint has the real types from its arguments.
    """
    for artifact in _artifacts(spec):
        title = yaml.safe_load(artifact["artifactType"]["instanceSchema"])["title"]
        artifact["artifactType"] = {
            "schemaTitle": SYSTEM_TYPES.get(title, OTHER),
            "schemaVersion": SCHEMA_VERSION,
        }


def _artifacts(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for component in spec["components"].values():
        for definitions in ("inputDefinitions", "outputDefinitions"):
            yield from component.get(definitions, {}).get("artifacts", {}).values()
