"""The loss without this project's: logits of every token at once, as Keras makes them from a dense layer."""

from __future__ import annotations

from typing import Any

import keras
import keras_hub
from keras import ops

from modules.models.gpt2.network import hidden_states
from modules.models.training_model import SegmentMask


class FullLoss(keras.layers.Layer):
    """Logits [B x T, V], and the weighted sum of their cross-entropy as the model's loss."""

    def __init__(self, token_embedding: keras.layers.Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.token_embedding = token_embedding

    def call(self, hidden: Any, supervised: Any, targets: Any, weights: Any) -> Any:
        """float [B, T, D] and [N] slots → float32 [B x T] losses."""
        logits = self.token_embedding(ops.reshape(hidden, (-1, hidden.shape[-1])), reverse=True)
        tokens, used = ops.shape(logits)[:1], ops.cast(weights > 0, "int32")
        all_targets = ops.scatter(supervised[:, None], targets * used, tokens)
        all_weights = ops.scatter(supervised[:, None], weights, tokens)
        losses = ops.sparse_categorical_crossentropy(all_targets, ops.cast(logits, "float32"), from_logits=True)
        self.add_loss(ops.sum(losses * all_weights))
        return losses


def full_logits_model(backbone: keras_hub.models.GPT2Backbone) -> keras.Model:
    """Takes what `modules.models.training_model.training_model` takes."""
    rows = {name: keras.Input((None,), dtype="int32", name=name) for name in ("token_ids", "positions", "segment_ids")}
    slots = {name: keras.Input((), dtype="int32", name=name) for name in ("supervised", "targets")}
    slots["weights"] = keras.Input((), dtype="float32", name="weights")
    mask = SegmentMask(name="segment_mask")(rows["segment_ids"])
    hidden = hidden_states(backbone, rows["token_ids"], rows["positions"], mask)
    losses = FullLoss(backbone.token_embedding)(hidden, slots["supervised"], slots["targets"], slots["weights"])
    return keras.Model(rows | slots, losses)
