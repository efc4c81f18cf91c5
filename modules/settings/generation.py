"""The group about how the exported model answers."""

from __future__ import annotations

from pydantic import BaseModel, Field

from modules.settings.types import FROZEN


class GenerationSettings(BaseModel):
    """Defaults of the published model's decoding; every request may set its own."""

    model_config = FROZEN

    max_new_tokens: int = Field(default=64, ge=1, le=65536)
    """Longest response in tokens, 1 to the model's context."""

    temperature: float = Field(default=0.0, ge=0, le=10)
    """Randomness, 0 to 10; 0 always takes the most likely token."""

    top_k: int = Field(default=0, ge=0)
    """Sample among so many most likely tokens; 0 for no limit."""

    top_p: float = Field(default=1.0, gt=0, le=1)
    """Sample among the most likely tokens that together reach this probability, above 0 to 1; 1 for no
    limit."""
