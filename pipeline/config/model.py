"""The configuration's groups about the network: its sizes, and how it answers."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from modules.models.families import find_family
from pipeline.config.types import FROZEN, OptionalText, Precisions, Text


def _family(name: str) -> str:
    find_family(name)  # whether there is one
    return name


FamilyName = Annotated[Text, AfterValidator(_family)]


class ModelConfig(BaseModel):
    """The network: a model to start from, or sizes for one from scratch (ignored with a preset)."""

    model_config = ConfigDict(**FROZEN, protected_namespaces=())

    preset: OptionalText = None
    """Model to start from: a KerasHub preset (gpt2_base_en, a kaggle:// or hf:// handle), a folder with a KerasHub
    preset, a Transformers checkpoint in safetensors or the model of an earlier run, or hub:namespace/name@revision on
    publish.endpoint, main without a revision; `none` for scratch."""

    family: FamilyName = "gpt2"
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


class GenerationConfig(BaseModel):
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


class ExportConfig(BaseModel):
    """The forms that a trained model is written in, besides the SavedModel, the KerasHub preset and Transformers'."""

    model_config = FROZEN

    ctranslate2: Precisions = ("int8", "float32")
    """How CTranslate2's weights are stored, int8 (a quarter of the size; what the Space runs) and float32, one export
    each; `none` for no such export."""
