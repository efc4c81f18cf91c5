"""The layers of KerasHub's GPT-2 that own weights, by their role.

Their attributes are named here and in :mod:`modules.models.gpt2.network`, nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from modules.models.family import Kernel

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
        """Returns its two layer norms."""
        return self.attention_norm, self.feedforward_norm

    @property
    def dense(self) -> tuple[Any, Any, Any, Any, Any, Any]:
        """Returns the layers that multiply with a kernel."""
        return self.query, self.key, self.value, self.output, self.intermediate, self.projection

    def adapter_targets(self, target: str) -> tuple[Any, ...]:
        """Returns the layers that a value of ``training.lora_targets`` means."""
        return (self.intermediate, self.projection) if target == "feedforward" else (getattr(self, target),)


def block_layers(block: Any) -> BlockLayers:
    """Returns the layers of a ``TransformerDecoder``."""
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
    """Returns every block's layers, from the first to the last."""
    return [block_layers(block) for block in backbone.transformer_layers]


def weights_in_order(backbone: GPT2Backbone) -> Iterator[Any]:
    """Yields variables, and :class:`Kernel` for kernels, in the order of a plain backbone's ``weights``."""
    yield backbone.token_embedding.embeddings
    yield backbone.position_embedding.position_embeddings
    for block in blocks(backbone):
        for layer in (block.query, block.key, block.value, block.output):
            yield from (Kernel(layer), layer.bias)
        yield from (block.attention_norm.gamma, block.attention_norm.beta)
        for layer in (block.intermediate, block.projection):
            yield from (Kernel(layer), layer.bias)
        yield from (block.feedforward_norm.gamma, block.feedforward_norm.beta)
    yield from (backbone.layer_norm.gamma, backbone.layer_norm.beta)
