"""The configuration as the components received it: the metadata store keeps every parameter."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.report.facts import ConditionFacts
from pipeline.report.store import StoredNode, StoredRun

# Where a component's parameter comes from: the field of the configuration.
FIELDS = {
    ("ImportExampleGen", "input_base"): "data.path",
    ("ImportSchemaGen", "schema_file"): "data.schema",
    ("Evaluator", "slices"): "evaluation.slices",
}
# Parameters that are the same in every run, that say nothing, or that are shown elsewhere.
NOT_SETTINGS = {
    "ImportExampleGen": {"input_config", "output_config", "output_data_format", "output_file_format", "span",
                         "input_fingerprint", "version", "custom_config"},
    "Transform": {"force_tf_compat_v1", "disable_statistics", "preprocessing_fn"},
    "Trainer": {"train_args", "eval_args", "run_fn"},
    "DataGate": {"kind", "tokens"},
    "AnswerQuality": {"thresholds", "against_baseline"},
    "Evaluator": {"thresholds", "against_baseline", "module_path", "example_splits"},
    "StatisticsGen": {"exclude_splits"},
    "ExampleValidator": {"exclude_splits"},
}  # fmt: skip
PREFIXES = {"HFPusher": "publish", "BaselineModel": "baseline_model", "InitialModel": "initial_model"}


def read_settings(run: StoredRun) -> dict[str, str]:
    """Returns values by field of the configuration, such as ``training.learning_rate``."""
    found = {"profile": run.record.profile} if run.record and run.record.profile else {}
    for node in run.nodes:
        found |= dict(_node_settings(node))
    return found


def read_setting_components(run: StoredRun) -> dict[str, str]:
    """Returns the component that received a value, by field of the configuration."""
    return {name: node.node_id for node in run.nodes for name, _ in _node_settings(node)}


def _node_settings(node: StoredNode) -> Iterator[tuple[str, str]]:
    skipped = NOT_SETTINGS.get(node.node_id, set())
    for name, value in sorted(node.properties.items()):
        if name in skipped or name == "fingerprint" or name.startswith("__"):
            continue
        if name == "custom_config":
            yield from _flat("", json.loads(value))
            continue
        if name == "settings":
            yield from _flat(f"{PREFIXES[node.node_id]}.", json.loads(value))
            continue
        if name == "input_config" or value in (None, ""):
            continue
        if node.node_id == "DataGate" and name in ("limits", "allow"):
            yield from _gate_settings(name, json.loads(value))
            continue
        field = FIELDS.get((node.node_id, name), f"{PREFIXES.get(node.node_id, node.node_id)}.{name}")
        yield field, str(value)
    if node.node_id == "ImportExampleGen":
        yield from _patterns(node.properties.get("input_config"))


def _gate_settings(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if name == "allow":
        yield "data.allow_anomalies", ", ".join(value) or "none"
    else:
        yield from ((f"data.max_{limit}", str(bound)) for limit, bound in value.items())


def _flat(prefix: str, value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, item in sorted(value.items()):
        if name == "fingerprint":
            continue
        if isinstance(item, dict):
            yield from _flat(f"{prefix}{name}.", item)
        else:
            yield f"{prefix}{name}", _text(item)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _patterns(input_config: str | None) -> Iterator[tuple[str, str]]:
    for split in json.loads(input_config or "{}").get("splits", ()):
        yield f"data.{split.get('name', '?')}_pattern", str(split.get("pattern", ""))


def conditions_as_settings(conditions: Iterable[ConditionFacts]) -> dict[str, str]:
    """Returns the thresholds by metric and slice."""
    found: dict[str, list[str]] = {}
    for condition in conditions:
        where = f" where {condition.rows}" if condition.rows else ""
        found.setdefault(f"evaluation.{condition.metric}{where}", []).append(condition.demand)
    return {name: ", ".join(demands) for name, demands in found.items()}


def read_code(run: StoredRun) -> dict[str, str]:
    """Hashes of the code behind the components, which tell whether two runs ran the same."""
    found = {}
    for node in run.nodes:
        given = node.properties.get("fingerprint")
        if not given and "custom_config" in node.properties:
            given = json.loads(node.properties["custom_config"]).get("fingerprint")
        if given:
            found[node.node_id] = str(given)
    return found
