"""KerasHub's GPT-2, and the model that trains it on packed rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import keras_hub
from keras import ops

from modules.losses import SupervisedLoss
from modules.tokenizer import from_keras

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class PresetError(RuntimeError):
    """A KerasHub preset could not be read or downloaded."""

    user_message = True


class ContextError(ValueError):
    """The training sequences are longer than the model's context."""

    user_message = True


def load_preset(preset: str, *, dropout: float, dtype: str) -> tuple[keras_hub.models.GPT2Backbone, Tokenizer]:
    """Backbone and tokenizer of a KerasHub preset.

    Args:
        preset: a preset's name, such as ``gpt2_base_en``, a ``hf://`` or ``kaggle://`` handle, or a folder.
        dropout: share of activations dropped while training, 0 to 1.
        dtype: Keras dtype policy, such as ``mixed_bfloat16``.

    Raises:
        PresetError: If it is unknown, or the download fails.
    """
    try:
        backbone = keras_hub.models.GPT2Backbone.from_preset(preset, dtype=dtype, dropout=dropout)
        tokenizer = keras_hub.models.GPT2Tokenizer.from_preset(preset)
    except (OSError, ValueError, RuntimeError) as error:
        raise PresetError(
            f"The preset could not be loaded. Received: model.preset={preset!r}; {type(error).__name__}: {error}. "
            "Name a GPT-2 preset of KerasHub that can be downloaded from here, or a folder that holds one."
        ) from error
    return backbone, from_keras(tokenizer)


def build_backbone(
    *,
    vocabulary_size: int,
    num_layers: int,
    num_heads: int,
    hidden_dim: int,
    intermediate_dim: int,
    dropout: float,
    max_sequence_length: int,
    dtype: str,
) -> keras_hub.models.GPT2Backbone:
    """A GPT-2 of the given sizes with random weights."""
    return keras_hub.models.GPT2Backbone(
        vocabulary_size=vocabulary_size,
        num_layers=num_layers,
        num_heads=num_heads,
        hidden_dim=hidden_dim,
        intermediate_dim=intermediate_dim,
        dropout=dropout,
        max_sequence_length=max_sequence_length,
        dtype=dtype,
    )


class SegmentMask(keras.layers.Layer):
    """Which tokens may see each other: only those of the same example.

    int32 [B, T] segment ids → bool [B, T, T]; the decoder adds the causal mask itself.
    """

    def call(self, segment_ids: Any) -> Any:
        return ops.equal(segment_ids[:, :, None], segment_ids[:, None, :])


def training_model(backbone: keras_hub.models.GPT2Backbone, *, sequence_length: int) -> keras.Model:
    """The model that `PackedBatches` feeds; its layers are the backbone's own.

    Its output is float32 [N, 2]: each supervised token's negative log-likelihood (nats), and 1 where the target was the
    likeliest token. Its loss is part of it.

    Raises:
        ContextError: If `sequence_length` exceeds the backbone's context.
    """
    if sequence_length > backbone.max_sequence_length:
        raise ContextError(
            "A training sequence cannot be longer than the model's context. "
            f"Received: training.sequence_length={sequence_length}, context {backbone.max_sequence_length}"
        )
    rows = {name: keras.Input((None,), dtype="int32", name=name) for name in ("token_ids", "positions", "segment_ids")}
    slots = {name: keras.Input((), dtype="int32", name=name) for name in ("supervised", "targets")}
    slots["weights"] = keras.Input((), dtype="float32", name="weights")
    tokens = backbone.token_embedding(rows["token_ids"])  # [B, T, D]
    positions = backbone.position_embedding(tokens, positions=rows["positions"])
    x = backbone.embeddings_dropout(backbone.embeddings_add((tokens, positions)))
    mask = SegmentMask(name="segment_mask")(rows["segment_ids"])  # [B, T, T]
    for layer in backbone.transformer_layers:
        x = layer(x, decoder_attention_mask=mask)
    loss = SupervisedLoss(backbone.token_embedding, name="supervised_loss")
    scores = loss(backbone.layer_norm(x), slots["supervised"], slots["targets"], slots["weights"])  # [N, 2]
    return keras.Model(rows | slots, scores, name="gpt2_training")


def as_float32(backbone: keras_hub.models.GPT2Backbone) -> keras_hub.models.GPT2Backbone:
    """The same model computing in float32, for export; the backbone itself if it already does."""
    if backbone.compute_dtype == "float32":
        return backbone
    config = backbone.get_config() | {"dtype": "float32"}
    copy = keras_hub.models.GPT2Backbone.from_config(config)
    copy.set_weights(backbone.get_weights())
    return copy
