"""The group about the network: what it starts from, or its sizes."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from modules.settings.types import FROZEN, OptionalText, Text

DEFAULT_FAMILY = "gpt2"


class ModelSettings(BaseModel):
    """The network: a model to start from, or sizes for one from scratch (ignored with a preset)."""

    model_config = ConfigDict(**FROZEN, protected_namespaces=())

    preset: OptionalText = None
    """Model to start from: a KerasHub preset (gpt2_base_en, a kaggle:// or hf:// handle), a folder with a KerasHub
    preset, a Transformers checkpoint in safetensors or the model of an earlier run, or hub:namespace/name@revision on
    publish.endpoint, main without a revision; `none` for scratch."""

    family: Text = DEFAULT_FAMILY
    """Kind of network: `gpt2`, or package.module:OBJECT for a family of your own."""

    num_layers: int = Field(default=4, ge=1, le=96)
    """Transformer blocks, 1 to 96."""

    num_heads: int = Field(default=4, ge=1, le=128)
    """Attention heads per block, 1 to 128; must divide hidden_dim."""

    hidden_dim: int = Field(default=128, ge=8, le=16384)
    """Width of the residual stream, 8 to 16384."""

    intermediate_dim: int = Field(default=512, ge=8, le=65536)
    """Width inside the feed-forward layers, 8 to 65536; usually 4 times hidden_dim."""

    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of activations dropped while training, 0 to below 1."""

    max_sequence_length: int = Field(default=128, ge=8, le=65536)
    """Context of the model in tokens, 8 to 65536."""

    tokenizer_path: OptionalText = None
    """Folder with vocab.json and merges.txt; `none` to train a tokenizer on the rows. Excluded by
    model.preset."""

    vocabulary_size: int = Field(default=1024, ge=257, le=200_000)
    """Size of the tokenizer to train, in tokens, 257 (all bytes and the end token) to 200000; not used with a
    given tokenizer."""
