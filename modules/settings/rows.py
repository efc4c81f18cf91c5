"""What the rows are, for Transform and Trainer."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from modules.settings.types import FROZEN

RowKind = Literal["instructions", "text"]


class RowSettings(BaseModel):
    """The rows that a model is trained on."""

    model_config = FROZEN

    kind: RowKind = "instructions"
    """What the rows are: `instructions` to answer, or documents of raw `text`."""

    max_dropped: float = Field(default=1.0, ge=0, le=1)
    """Share of the training rows that may be dropped as longer than training.sequence_length, 0 to 1."""


class PreprocessingSettings(BaseModel):
    """What Transform is told: its ``custom_config``."""

    model_config = FROZEN

    kind: RowKind
    """What the rows are."""

    fingerprint: str
    """Hash of the code that formats the rows, so that an edited prompt misses TFX's cache."""
