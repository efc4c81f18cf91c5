"""Fields of the configuration that a run can still set, as parameters of the compiled pipeline.

A parameter is called like its field's environment variable: ``training__learning_rate`` for
``training.learning_rate``. Those of ``data`` and ``publish`` are inputs of a component as they are. Those of
``model``, ``training`` and ``generation`` travel to Trainer beside its ``custom_config``, one JSON text, and the
entrypoint puts them into it: TFX's own RuntimeParameter stands for a whole input, never for a part of one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

from pipeline.config import PipelineConfig
from pipeline.config.sources import fields

SEPARATOR = "__"
CUSTOM_CONFIG = "custom_config"
# Groups of the configuration that custom_config holds.
TRAINER_GROUPS = ("model", "training", "generation")
# Field -> components and their inputs.
COMPONENT_INPUTS = {
    "data.path": [("ImportExampleGen", "input_base")],
    "publish.repo_id": [("HFPusher", "repo_id"), ("PublishedModel", "repo_id")],
    "publish.space_repo_id": [("HFPusher", "space_repo_id")],
    "publish.license": [("HFPusher", "license")],
}
# In Python's order: True is an int.
TYPES = ((bool, "BOOLEAN"), (int, "NUMBER_INTEGER"), (float, "NUMBER_DOUBLE"))


def allowed_fields() -> list[str]:
    """The fields that can be parameters."""
    return [*COMPONENT_INPUTS, *(name for name in fields() if name.partition(".")[0] in TRAINER_GROUPS)]


def parameter_name(field: str) -> str:
    """How a field is called as a parameter."""
    return field.replace(".", SEPARATOR)


def add_parameters(spec: dict[str, Any], config: PipelineConfig) -> None:
    """Makes ``config.kubeflow.parameters`` inputs of the compiled pipeline, with the configured values as defaults.

    Those of a component that this pipeline lacks, or that it gives no such input, are left out.
    """
    for field in config.kubeflow.parameters:
        for component, key in COMPONENT_INPUTS.get(field, [("Trainer", parameter_name(field))]):
            if component in spec["components"] and (field not in COMPONENT_INPUTS or _takes(spec, component, key)):
                _add_parameter(spec, field, component, key, config)


def _takes(spec: Mapping[str, Any], component: str, key: str) -> bool:
    """Whether a component is given this input: HFPusher without a Space knows no name of one."""
    return key in spec["root"]["dag"]["tasks"][component]["inputs"].get("parameters", {})


def _add_parameter(spec: dict[str, Any], field: str, component: str, key: str, config: PipelineConfig) -> None:
    name = parameter_name(field)
    given = spec["root"]["dag"]["tasks"][component]["inputs"].setdefault("parameters", {})
    default = given[key]["runtimeValue"]["constant"] if key in given else value(config, field)
    kind = _type(field, default)
    definitions = spec["root"].setdefault("inputDefinitions", {}).setdefault("parameters", {})
    definitions[name] = {
        "parameterType": kind,
        "defaultValue": default,
        "isOptional": True,
        "description": " ".join((fields()[field].description or "").split()),
    }
    given[key] = {"componentInputParameter": name}
    inputs = spec["components"][component]["inputDefinitions"].setdefault("parameters", {})
    inputs.setdefault(key, {"parameterType": kind})


def value(config: PipelineConfig, field: str) -> Any:
    """The configured value of a field; a text where it may be `none`, because a parameter cannot be absent."""
    group, _, key = field.partition(".")
    found = config.model_dump(mode="json", by_alias=True)[group][key]
    if not _may_be_none(field):
        return found
    return "none" if found is None else str(found)


def apply_parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """A component's parameters with those of the configuration put into ``custom_config``.

    Args:
        values: of all parameters, by name; numbers may be floats, as in JSON.

    Raises:
        pydantic.ValidationError: If a value is out of its field's range.
    """
    ours = {name: values[name] for name in values if name.partition(SEPARATOR)[0] in TRAINER_GROUPS}
    if not ours:
        return dict(values)
    settings = json.loads(values[CUSTOM_CONFIG])
    for name, chosen in ours.items():
        group, _, key = name.partition(SEPARATOR)
        settings[group][key] = chosen
    groups = {group: settings[group] for group in TRAINER_GROUPS}
    checked = PipelineConfig.model_validate(groups).model_dump(mode="json", include=set(TRAINER_GROUPS))
    others = {name: values[name] for name in values if name not in ours}
    return others | {CUSTOM_CONFIG: json.dumps(settings | checked, sort_keys=True)}


def _type(field: str, default: Any) -> str:
    if _may_be_none(field):
        return "STRING"
    return next((name for kind, name in TYPES if isinstance(default, kind)), "STRING")


def _may_be_none(field: str) -> bool:
    return type(None) in get_args(fields()[field].annotation)
