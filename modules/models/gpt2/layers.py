"""The layers of KerasHub's GPT-2 that own weights, by their role: the one place that knows their attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from keras_hub.models import GPT2Backbone


class BlockLayers(NamedTuple):
    """One block's layers in the order of computation. D is the width, I the width inside the feed-forward.

    Attributes:
        attention_norm: gamma and beta [D].
        query: kernel [D, heads, head_dim], bias [heads, head_dim].
        key: likewise.
        value: likewise.
        output: kernel [heads, head_dim, D], bias [D].
        feedforward_norm: gamma and beta [D].
        intermediate: kernel [D, I], bias [I].
        projection: kernel [I, D], bias [D].
    """

    attention_norm: Any
    query: Any
    key: Any
    value: Any
    output: Any
    feedforward_norm: Any
    intermediate: Any
    projection: Any

    @property
    def norms(self) -> tuple[Any, Any]:
        return self.attention_norm, self.feedforward_norm

    @property
    def dense(self) -> tuple[Any, Any, Any, Any, Any, Any]:
        """The layers that multiply with a kernel."""
        return self.query, self.key, self.value, self.output, self.intermediate, self.projection


def block_layers(block: Any) -> BlockLayers:
    """The layers of a ``TransformerDecoder``."""
    attention = block._self_attention_layer
    return BlockLayers(
        attention_norm=block._self_attention_layer_norm,
        query=attention.query_dense,
        key=attention.key_dense,
        value=attention.value_dense,
        output=attention.output_dense,
        feedforward_norm=block._feedforward_layer_norm,
        intermediate=block._feedforward_intermediate_dense,
        projection=block._feedforward_output_dense,
    )


def blocks(backbone: GPT2Backbone) -> list[BlockLayers]:
    """Every block's layers, from the first to the last."""
    return [block_layers(block) for block in backbone.transformer_layers]
