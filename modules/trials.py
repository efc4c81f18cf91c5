"""The trials of a search for hyperparameters, as TFX's Tuner leaves them in ``tuner_results.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

TRIALS_FILE = "tuner_results.json"  # TFX's Tuner writes it


class Trial(BaseModel):
    """One trial.

    Attributes:
        score: the evaluation loss, in nats per response token.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    score: float

    @property
    def hyperparameters(self) -> Mapping[str, Any]:
        """Returns the values that were tried, by setting such as ``training.learning_rate``."""
        return {name: value for name, value in (self.model_extra or {}).items() if "." in name}


def read_trials(folder: str | Path) -> tuple[Trial, ...]:
    """Returns the trials in the Tuner's artifact `folder`.

    Raises:
        OSError: If there are none.
        pydantic.ValidationError: If the file holds something else.
    """
    text = Path(folder, TRIALS_FILE).read_text(encoding="utf-8")
    return TypeAdapter(tuple[Trial, ...]).validate_json(text)
