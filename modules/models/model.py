"""KerasHub's GPT-2, and the model that trains it on packed rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import keras_hub
import numpy as np
from keras import ops

from modules.models.gpt2.activation import gelu
from modules.models.gpt2.layers import blocks
from modules.models.lora import has_adapters, is_quantized, merged_kernel
from modules.models.losses import SupervisedLoss
from modules.models.recompute import Recomputed


class ContextError(ValueError):
    """The training sequences are longer than the model's context."""

    user_message = True


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


def embed(backbone: keras_hub.models.GPT2Backbone, token_ids: Any, positions: Any = None) -> Any:
    """What enters the first block: token plus position embeddings.

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
    remat: bool = False,
) -> Any:
    """What the backbone makes of whole rows, for training and scoring: embeddings, blocks, last layer norm.

    Works on symbolic inputs (a functional model's) as on arrays. Logits are ``hidden @ embedding.T``.

    Args:
        backbone: the model; its own layers run, nothing is copied.
        token_ids: int32 [B, T].
        positions: int32 [B, T]; without them they count from 0 in every row.
        mask: bool [B, T, T], true where the row's token may see the column's; causality is added to it. Without
            it a token sees all before it.
        training: whether dropout is on; without it, whatever the surrounding model is doing.
        remat: whether to keep only the blocks' inputs for the backward pass, which then runs each block again.

    Returns:
        float [B, T, D] in the backbone's compute dtype.
    """
    x = backbone.embeddings_dropout(embed(backbone, token_ids, positions), training=training)
    for block in backbone.transformer_layers:
        layer = Recomputed(block) if remat else block
        x = layer(x, decoder_attention_mask=mask, training=training)
    return backbone.layer_norm(x)


def cached_hidden_states(
    backbone: keras_hub.models.GPT2Backbone,
    token_ids: Any,
    positions: Any,
    mask: Any,
    caches: Sequence[Any],
    index: Any,
) -> tuple[Any, list[Any]]:
    """What the backbone makes of Q new tokens, for generation; dropout is off.

    Args:
        backbone: the model.
        token_ids: int32 [B, Q].
        positions: int32 [B, Q].
        mask: bool [B, Q, L], all that each new token may see of the L cached ones, causality included.
        caches: per block, float [B, 2, L, heads, head_dim]: keys and values.
        index: int32 [], where in the caches the new tokens go.

    Returns:
        float [B, Q, D], and the caches with the new tokens in them.
    """
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


class SegmentMask(keras.layers.Layer):
    """Which tokens may see each other: only those of the same example.

    int32 [B, T] segment ids → bool [B, T, T]; the decoder adds the causal mask itself.
    """

    def call(self, segment_ids: Any) -> Any:
        return ops.equal(segment_ids[:, :, None], segment_ids[:, None, :])


def training_model(
    backbone: keras_hub.models.GPT2Backbone, *, sequence_length: int, remat: bool = False
) -> keras.Model:
    """The model that `PackedBatches` feeds; its layers are the backbone's own.

    Its output is float32 [N, 2]: each supervised token's negative log-likelihood (nats), and 1 where the target was the
    likeliest token. Its loss is part of it.

    Args:
        backbone: what to train.
        sequence_length: of a row, in tokens.
        remat: whether to keep only the blocks' inputs for the backward pass, which then runs each block again.

    Raises:
        ContextError: If `sequence_length` exceeds the backbone's context.
    """
    if sequence_length > backbone.max_sequence_length:
        raise ContextError(
            "A training sequence cannot be longer than the model's context. "
            f"Received: training.sequence_length={sequence_length}, context {backbone.max_sequence_length}"
        )
    for block in blocks(backbone):
        block.intermediate.activation = gelu
    rows = {name: keras.Input((None,), dtype="int32", name=name) for name in ("token_ids", "positions", "segment_ids")}
    slots = {name: keras.Input((), dtype="int32", name=name) for name in ("supervised", "targets")}
    slots["weights"] = keras.Input((), dtype="float32", name="weights")
    mask = SegmentMask(name="segment_mask")(rows["segment_ids"])  # [B, T, T]
    hidden = hidden_states(backbone, rows["token_ids"], rows["positions"], mask, remat=remat)  # [B, T, D]
    loss = SupervisedLoss(backbone.token_embedding, name="supervised_loss")
    scores = loss(hidden, slots["supervised"], slots["targets"], slots["weights"])  # [N, 2]
    return keras.Model(rows | slots, scores, name="gpt2_training")


def as_float32(backbone: keras_hub.models.GPT2Backbone) -> keras_hub.models.GPT2Backbone:
    """The same model, plain and computing in float32, for export; the backbone itself if it is so already.

    Adapters are merged into their kernels, and quantised kernels turned back, without quantising the sum again.
    """
    if backbone.compute_dtype == "float32" and not has_adapters(backbone) and not is_quantized(backbone):
        return backbone
    sizes = ("vocabulary_size", "num_layers", "num_heads", "hidden_dim", "intermediate_dim", "dropout")
    copy = build_backbone(
        **{name: getattr(backbone, name) for name in (*sizes, "max_sequence_length")}, dtype="float32"
    )
    for target, source in zip(copy.weights, _plain_weights(backbone), strict=True):
        # A copy: JAX would share what the training of one model may delete.
        target.assign(np.array(ops.convert_to_numpy(source)))
    return copy


def _plain_weights(backbone: keras_hub.models.GPT2Backbone) -> Iterator[Any]:
    """The weights in the order of a plain backbone's."""
    yield backbone.token_embedding.embeddings
    yield backbone.position_embedding.position_embeddings
    for block in blocks(backbone):
        for layer in (block.query, block.key, block.value, block.output):
            yield from (merged_kernel(layer), layer.bias)
        yield from (block.attention_norm.gamma, block.attention_norm.beta)
        for layer in (block.intermediate, block.projection):
            yield from (merged_kernel(layer), layer.bias)
        yield from (block.feedforward_norm.gamma, block.feedforward_norm.beta)
    yield from (backbone.layer_norm.gamma, backbone.layer_norm.beta)
