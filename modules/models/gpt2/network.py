"""KerasHub's GPT-2 as a function of tokens, and one of given sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras_hub
from keras import ops


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
    """Returns a GPT-2 of the given sizes with random weights."""
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


def embed(backbone: keras_hub.models.GPT2Backbone, token_ids: Any, positions: Any = None) -> Any:
    """Returns what enters the first block: token plus position embeddings.

    Args:
        backbone: the model.
        token_ids: int32 [B, T].
        positions: int32 [B, T]; without them they count from 0 in every row.

    Returns:
        float [B, T, D] in the backbone's compute dtype.
    """
    tokens = backbone.token_embedding(token_ids)
    return backbone.embeddings_add((tokens, backbone.position_embedding(tokens, positions=positions)))


def hidden_states(
    backbone: keras_hub.models.GPT2Backbone,
    token_ids: Any,
    positions: Any = None,
    mask: Any = None,
    *,
    training: bool | None = None,
    wrap_block: Callable[[Any], Any] = lambda block: block,
) -> Any:
    """Computes :meth:`ModelFamily.hidden_states`."""
    x = backbone.embeddings_dropout(embed(backbone, token_ids, positions), training=training)
    for block in backbone.transformer_layers:
        x = wrap_block(block)(x, decoder_attention_mask=mask, training=training)
    return backbone.layer_norm(x)


def cached_hidden_states(
    backbone: keras_hub.models.GPT2Backbone,
    token_ids: Any,
    positions: Any,
    mask: Any,
    caches: Sequence[Any],
    index: Any,
) -> tuple[Any, list[Any]]:
    """Computes :meth:`ModelFamily.cached_hidden_states`."""
    x = embed(backbone, token_ids, positions)
    updated = []
    for layer, cache in zip(backbone.transformer_layers, caches, strict=True):
        x, cache = layer(
            x,
            decoder_attention_mask=mask,
            self_attention_cache=cache,
            self_attention_cache_update_index=index,
            use_causal_mask=False,
            training=False,
        )
        updated.append(cache)
    return backbone.layer_norm(x), updated


def empty_caches(backbone: keras_hub.models.GPT2Backbone, *, rows: Any, length: Any) -> tuple[Any, ...]:
    """Computes :meth:`ModelFamily.empty_caches`."""
    heads = backbone.num_heads
    shape = [rows, 2, length, heads, backbone.hidden_dim // heads]
    return tuple(ops.zeros(shape, backbone.compute_dtype) for _ in backbone.transformer_layers)
