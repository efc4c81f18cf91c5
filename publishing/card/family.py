"""Facts about a model family that a card mentions."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class FamilyFacts(BaseModel):
    """A model family, as the card tells it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    label: str
    """What people call it, such as GPT-2."""

    tag: str
    """Its tag on the Hub."""

    keras_prefix: str = ""
    """How the names of KerasHub's classes for it begin, such as GPT2; empty for KerasHub's own, of any family."""

    base_models: dict[str, str] = Field(default_factory=dict)
    """The Hub's name of the model behind each KerasHub preset."""


ANY_FAMILY = FamilyFacts(label="causal", tag="causal-lm")
