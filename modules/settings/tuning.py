"""The group about the search for better hyperparameters."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from modules.settings.types import FROZEN, Counts


class TuningSettings(BaseModel):
    """The search for better hyperparameters, before training, around those that are configured."""

    model_config = FROZEN

    enabled: bool = False
    """Train with the best of several short trials' hyperparameters, by evaluation loss: true or false."""

    search: Literal["bayesian", "random"] = "bayesian"
    """How the next trial is chosen: `bayesian` learns from those before, `random` does not. The first trial is always
    the configuration itself."""

    trials: int = Field(default=8, ge=1, le=1000)
    """Trials at most, 1 to 1000."""

    steps_per_trial: int = Field(default=100, ge=1)
    """Steps of a trial at training.batch_size, at least 1; with another batch, as many as see the same rows."""

    learning_rate_span: float = Field(default=10.0, ge=1, le=1000)
    """Learning rates are tried from training.learning_rate divided by this to it times this, 1 to 1000; 1 keeps it."""

    batch_sizes: Counts = ()
    """Batch sizes to try besides training.batch_size, in rows, such as 8, 32; `none` keeps it."""

    lora_ranks: Counts = ()
    """Ranks to try besides training.lora_rank, which must not be 0, such as 4, 16; `none` keeps it."""

    seed: int = Field(default=42, ge=0, le=2**31 - 1)
    """Seed of the search, 0 to 2147483647; every trial trains with training.seed."""
