"""Settings of the rows, for Transform and Trainer."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from modules.prompts import AUTO, RowKind, find_format
from modules.settings.types import FROZEN, Text


def _prompt_format(name: str) -> str:
    find_format(name, kind="instructions")  # whether there is one
    return name


PromptFormatName = Annotated[Text, AfterValidator(_prompt_format)]


class RowSettings(BaseModel):
    """The rows that a model is trained on."""

    model_config = FROZEN

    kind: RowKind = "instructions"
    """What the rows are: `instructions` to answer, or documents of raw `text`."""

    prompt_format: PromptFormatName = AUTO
    """How a row becomes a prompt."""

    max_dropped: float = Field(default=1.0, ge=0, le=1)
    """Share of the training rows that may be dropped as longer than training.sequence_length, 0 to 1."""


class PreprocessingSettings(BaseModel):
    """Settings of Transform: its ``custom_config``."""

    model_config = FROZEN

    kind: RowKind
    """What the rows are."""

    prompt_format: PromptFormatName = AUTO
    """How a row becomes a prompt."""

    fingerprint: str
    """Hash of the code that formats the rows, so that an edited prompt misses TFX's cache."""
