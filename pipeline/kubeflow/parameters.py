"""Fields of the configuration that a run can still set, as parameters of the compiled pipeline.

A parameter is called like its field's environment variable: ``training__learning_rate`` for
``training.learning_rate``. The one of ``data`` is an input of a component as it is. Those of ``model``, ``training``
and ``generation`` travel to Trainer beside its ``custom_config``, those of ``publish`` to HFPusher and ModelDownloader
beside their ``settings``: one JSON text each, into which the entrypoint puts them. TFX's own RuntimeParameter stands
for a whole input, never for a part of one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

from pipeline.config import PipelineConfig
from pipeline.config.publish import PublishConfig
from pipeline.config.sources import fields

SEPARATOR = "__"
CUSTOM_CONFIG = "custom_config"
# Groups of the configuration that custom_config holds.
TRAINER_GROUPS = ("model", "training", "generation")
# Field -> component and its input.
COMPONENT_INPUTS = {"data.path": ("ImportExampleGen", "input_base")}
SETTINGS = "settings"
PUBLISH_GROUP = "publish"
# Field -> components that have it among their settings.
COMPONENT_SETTINGS = {
    "publish.repo_id": ("HFPusher", "BaselineModel"),
    "publish.space_repo_id": ("HFPusher",),
    "publish.license": ("HFPusher",),
}
# In Python's order: True is an int.
TYPES = ((bool, "BOOLEAN"), (int, "NUMBER_INTEGER"), (float, "NUMBER_DOUBLE"))


def allowed_fields() -> list[str]:
    """Returns the fields that can be parameters."""
    trained = [name for name in fields() if name.partition(".")[0] in TRAINER_GROUPS]
    return [*COMPONENT_INPUTS, *COMPONENT_SETTINGS, *trained]


def parameter_name(field: str) -> str:
    """Returns the name of a field as a parameter."""
    return field.replace(".", SEPARATOR)


def add_parameters(spec: dict[str, Any], config: PipelineConfig) -> None:
    """Makes ``config.kubeflow.parameters`` inputs of the compiled pipeline, with the configured values as defaults.

    Those of a component that this pipeline lacks, or that it gives no such input, are left out.
    """
    for field in config.kubeflow.parameters:
        for component, key in _inputs(field):
            if component in spec["components"] and _uses_parameter(spec, component, field, key):
                _add_parameter(spec, field, component, key, config)


def _inputs(field: str) -> list[tuple[str, str]]:
    """Returns the components that a field's parameter goes to, each with the name of its input there."""
    if field in COMPONENT_INPUTS:
        return [COMPONENT_INPUTS[field]]
    return [(component, parameter_name(field)) for component in COMPONENT_SETTINGS.get(field, ("Trainer",))]


def _uses_parameter(spec: Mapping[str, Any], component: str, field: str, key: str) -> bool:
    """Returns whether a component has a use for a parameter: HFPusher without a Space has none for the name of one."""
    given = spec["root"]["dag"]["tasks"][component]["inputs"].get("parameters", {})
    if field in COMPONENT_INPUTS:
        return key in given
    if field not in COMPONENT_SETTINGS or _may_be_none(field):
        return True
    settings = json.loads(given[SETTINGS]["runtimeValue"]["constant"])
    return settings[field.partition(".")[2]] is not None


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
    """Returns the configured value of a field; a text where it may be `none`, because a parameter cannot be absent."""
    group, _, key = field.partition(".")
    found = config.model_dump(mode="json", by_alias=True)[group][key]
    if not _may_be_none(field):
        return found
    return "none" if found is None else str(found)


def apply_parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a component's parameters with those of the configuration put into ``custom_config`` or ``settings``.

    Args:
        values: of all parameters, by name; numbers may be floats, as in JSON.

    Raises:
        pydantic.ValidationError: If a value is out of its field's range.
    """
    ours = [name for name in values if name.partition(SEPARATOR)[0] in (*TRAINER_GROUPS, PUBLISH_GROUP)]
    chosen: dict[str, dict[str, Any]] = {}
    for group, _, key in (name.partition(SEPARATOR) for name in ours):
        chosen.setdefault(group, {})[key] = values[f"{group}{SEPARATOR}{key}"]
    changed = {name: value for name, value in values.items() if name not in ours}
    if PUBLISH_GROUP in chosen:
        changed[SETTINGS] = _with_publish(changed[SETTINGS], chosen.pop(PUBLISH_GROUP))
    if chosen:
        changed[CUSTOM_CONFIG] = _with_training(changed[CUSTOM_CONFIG], chosen)
    return changed


def _with_publish(settings: str, chosen: Mapping[str, Any]) -> str:
    """Returns `settings` with other values, checked as fields of the configuration."""
    checked = PublishConfig.model_validate(chosen).model_dump(mode="json", include=set(chosen))
    return json.dumps(json.loads(settings) | checked)


def _with_training(custom_config: str, chosen: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns ``custom_config`` with other values, checked together as the configuration's groups."""
    settings = json.loads(custom_config)
    groups = {group: settings[group] | chosen.get(group, {}) for group in TRAINER_GROUPS}
    checked = PipelineConfig.model_validate(groups).model_dump(mode="json", include=set(TRAINER_GROUPS))
    return json.dumps(settings | checked, sort_keys=True)


def _type(field: str, default: Any) -> str:
    if _may_be_none(field):
        return "STRING"
    return next((name for kind, name in TYPES if isinstance(default, kind)), "STRING")


def _may_be_none(field: str) -> bool:
    return type(None) in get_args(fields()[field].annotation)
