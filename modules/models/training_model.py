"""The model that trains a backbone on packed rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from modules.models.families import family_of
from modules.models.losses import SupervisedLoss
from modules.models.recompute import Recomputed

if TYPE_CHECKING:
    import keras_hub


class ContextError(ValueError):
    """The training sequences are longer than the model's context."""

    user_message = True


class SegmentMask(keras.layers.Layer):
    """Computes the attention mask of packed rows: tokens see only those of the same example.

    int32 [B, T] segment ids → bool [B, T, T]; the decoder adds the causal mask itself.
    """

    def call(self, segment_ids: Any) -> Any:
        return ops.equal(segment_ids[:, :, None], segment_ids[:, None, :])


def training_model(backbone: keras_hub.models.Backbone, *, sequence_length: int, remat: bool = False) -> keras.Model:
    """Returns the model that `PackedBatches` feeds; its layers are the backbone's own.

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
    family = family_of(backbone)
    family.prepare_for_training(backbone)
    rows = {name: keras.Input((None,), dtype="int32", name=name) for name in ("token_ids", "positions", "segment_ids")}
    slots = {name: keras.Input((), dtype="int32", name=name) for name in ("supervised", "targets")}
    slots["weights"] = keras.Input((), dtype="float32", name="weights")
    mask = SegmentMask(name="segment_mask")(rows["segment_ids"])  # [B, T, T]
    wrap = Recomputed if remat else _unchanged
    hidden = family.hidden_states(backbone, rows["token_ids"], rows["positions"], mask, wrap_block=wrap)  # [B, T, D]
    loss = SupervisedLoss(backbone.token_embedding, name="supervised_loss")
    scores = loss(hidden, slots["supervised"], slots["targets"], slots["weights"])  # [N, 2]
    return keras.Model(rows | slots, scores, name="gpt2_training")


def _unchanged(block: Any) -> Any:
    return block
