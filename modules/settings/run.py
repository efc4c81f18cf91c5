"""Settings of one run for Trainer and Tuner, which travel as plain JSON in TFX's ``custom_config``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel

from modules.settings.export import ExportSettings
from modules.settings.generation import GenerationSettings
from modules.settings.model import DEFAULT_FAMILY, ModelSettings
from modules.settings.rows import RowSettings
from modules.settings.training import Overlong, TrainingSettings
from modules.settings.tuning import TuningSettings
from modules.settings.types import FROZEN, OptionalText

# Only the pipeline knows where checkpoints go: `RunSettings.checkpoints` is what it made of this field.
PIPELINE_ONLY = {"training": {"checkpoint_dir"}}


class RunSettings(BaseModel):
    """The settings of one run, by group."""

    model_config = FROZEN

    data: RowSettings
    """The rows."""

    model: ModelSettings
    """The network."""

    training: TrainingSettings
    """How it is trained."""

    generation: GenerationSettings
    """How the exported model answers."""

    export: ExportSettings
    """The forms that it is written in."""

    checkpoints: OptionalText = None
    """Folder of all trainings' checkpoints, which may be relative to the run's own folder; None for none."""

    fingerprint: str = ""
    """Hash of the code that trains and of the files that it is given."""

    @classmethod
    def from_custom_config(cls, custom_config: Mapping[str, Any]) -> Self:
        """Returns the settings in Trainer's or Tuner's ``custom_config``.

        Raises:
            pydantic.ValidationError: If a field is unknown, or its value out of range.
        """
        return cls.model_validate({name: custom_config[name] for name in cls.model_fields if name in custom_config})

    @property
    def overlong(self) -> Overlong:
        """Returns what happens to a row that is too long; a document, which has no prompt to cut, is split."""
        return "split" if self.data.kind == "text" else self.training.overlong

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as plain JSON, for ``custom_config``."""
        return self.model_dump(mode="json", exclude=PIPELINE_ONLY)

    def published_training(self) -> dict[str, Any]:
        """Returns the group ``training`` as the training's report tells it, sorted by name.

        The names of callbacks are among it only if there are any.
        """
        values = self.to_json()["training"] | {"overlong": self.overlong}
        return {name: values[name] for name in sorted(values) if name != "callbacks" or values[name]}

    def published_model(self) -> dict[str, Any]:
        """Returns the group ``model`` as the training's report tells it, sorted by name."""
        values = self.to_json()["model"]
        if self.model.family == DEFAULT_FAMILY:  # as it was before there was a choice
            del values["family"]
        return dict(sorted(values.items()))


class TunerSettings(BaseModel):
    """Settings of Tuner besides those of the run."""

    model_config = FROZEN

    tuning: TuningSettings
    """How to search."""

    code: str
    """Hash of the code that searches."""

    @classmethod
    def from_custom_config(cls, custom_config: Mapping[str, Any]) -> Self:
        """Returns the settings in Tuner's ``custom_config``.

        Raises:
            pydantic.ValidationError: If a field is unknown, or its value out of range.
        """
        return cls.model_validate({name: custom_config[name] for name in cls.model_fields})

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as plain JSON, for ``custom_config``."""
        return self.model_dump(mode="json")


def tuned_values(hyperparameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns what a tuner chose, by field; nothing without a tuner.

    Args:
        hyperparameters: the best ones as Tuner writes them, a KerasTuner configuration; its names are those of
            the settings' fields, such as ``training.learning_rate``.
    """
    return dict(hyperparameters["values"]) if hyperparameters else {}


def with_values(settings: RunSettings, values: Mapping[str, Any]) -> RunSettings:
    """Returns the settings with other values of the fields named ``group.field``.

    Raises:
        pydantic.ValidationError: If a field is unknown, or its value out of range.
    """
    changed = settings.to_json()
    for name, value in values.items():
        group, _, field = name.partition(".")
        changed[group][field] = value
    return RunSettings.model_validate(changed)


def initial_model_folder(base_model: str | None) -> str | None:
    """Returns the folder of the model artifact that training starts from, in place of ``model.preset``.

    Args:
        base_model: TFX's path into the artifact; None, or empty, if there is none.
    """
    return str(Path(base_model).parent) if base_model else None
