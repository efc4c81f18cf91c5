"""The configuration's group about how the network is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from pipeline.config.types import FROZEN, OptionalCount


class TrainingConfig(BaseModel):
    """How the network is trained."""

    model_config = FROZEN

    sequence_length: int = Field(default=128, ge=8, le=65536)
    """Length of a training row in tokens, 8 to the model's context."""

    batch_size: int = Field(default=32, ge=1, le=65536)
    """Rows of sequence_length tokens per step, 1 to 65536."""

    accumulation_steps: int = Field(default=1, ge=1, le=4096)
    """Batches whose gradients make one step, 1 to 4096: a larger batch in the memory of a small one."""

    epochs: int = Field(default=20, ge=1, le=10_000)
    """Passes over the training split, 1 to 10000."""

    max_steps: OptionalCount = None
    """Stop after so many steps even if epochs are left, at least 1; `none` for no limit."""

    learning_rate: float = Field(default=2e-3, gt=0, le=1)
    """Peak learning rate of AdamW, above 0 to 1."""

    warmup_fraction: float = Field(default=0.05, ge=0, lt=1)
    """Share of the steps during which the learning rate rises to its peak, 0 to below 1."""

    weight_decay: float = Field(default=0.01, ge=0, le=1)
    """Decoupled weight decay of AdamW, 0 to 1."""

    clip_norm: float = Field(default=1.0, gt=0)
    """Global norm above which gradients are scaled down, above 0."""

    packing: Literal["best_fit", "none"] = "best_fit"
    """How examples share a row: `best_fit` packs several, isolated from each other; `none` gives each its
    own."""

    overlong: Literal["drop", "truncate_prompt"] = "drop"
    """What happens to an example longer than sequence_length: `drop` it, or `truncate_prompt` from its
    start."""

    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """Keras precision policy; the mixed ones suit GPUs."""

    seed: int = Field(default=42, ge=0, le=2**31 - 1)
    """Seed of initial weights, row order and dropout, 0 to 2147483647."""

    log_every_steps: int = Field(default=10, ge=1)
    """Steps between two entries for TensorBoard, at least 1."""

    exact_answer_rows: int = Field(default=0, ge=0)
    """Evaluation rows whose answers are compared with the expected ones after training, at least 0; 0 for
    none."""
