"""What a run is told: the configuration's groups, with what the tuner found and what the kind of rows asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

Settings = dict[str, dict[str, Any]]
# Groups of ``custom_config``; beside them stands the fingerprint of code and given files.
GROUPS = ("data", "model", "training", "generation", "export")


def run_settings(
    custom_config: Mapping[str, Any],
    hyperparameters: Mapping[str, Any] | None = None,
    *,
    base_model: str | None = None,
) -> Settings:
    """The settings of one run, by group.

    Args:
        custom_config: Trainer's or Tuner's.
        hyperparameters: the best ones as Tuner writes them, a KerasTuner configuration; its names are those of
            the configuration's fields, such as ``training.learning_rate``.
        base_model: TFX's path into the model artifact that training starts from, in place of ``model.preset``.
    """
    settings = with_values(custom_config, tuned_values(hyperparameters))
    if base_model:
        settings["model"]["start"] = str(Path(base_model).parent)
    if settings["data"]["kind"] == "text":
        settings["training"]["overlong"] = "split"  # there is no prompt to cut, and no token is lost so
    return settings


def tuned_values(hyperparameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Field → value that a tuner chose; none without a tuner."""
    return dict(hyperparameters["values"]) if hyperparameters else {}


def with_values(settings: Mapping[str, Any], values: Mapping[str, Any]) -> Settings:
    """A copy of `settings` in which the fields named ``group.field`` have other values."""
    changed: Settings = {group: dict(settings[group]) for group in GROUPS}
    for name, value in values.items():
        group, _, field = name.partition(".")
        changed[group][field] = value
    return changed
