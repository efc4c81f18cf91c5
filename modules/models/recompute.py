"""Gradient checkpointing (Chen et al., 2016): memory for a block's input only, time for running the block twice."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class Recomputed(keras.layers.Layer):
    """Runs a decoder block, and once more in the backward pass instead of keeping what it computed.

    Keras' own scope (``keras.RematScope``) runs a block's dropout with other random numbers the second time, on
    TensorFlow, and fails on JAX. Here both passes get the same, drawn before them.

    Args:
        block: a ``TransformerDecoder``; its variables stay its own.
    """

    def __init__(self, block: keras.layers.Layer, **kwargs: Any) -> None:
        # The block casts by itself: variables must be read as they are.
        super().__init__(name=f"{block.name}_recomputed", autocast=False, **kwargs)
        self.block = block
        self.generators = _generators(block)
        self.seeds = keras.random.SeedGenerator() if self.generators else None

    def call(self, x: Any, decoder_attention_mask: Any = None, training: bool | None = None) -> Any:
        """float [B, T, D] and bool [B, T, T] → float [B, T, D]."""
        seeds = self._draw() if training else {}

        def run(x: Any) -> Any:
            # On JAX a variable's value lives in the scope of the training step, which this one hides.
            values = [(variable, seeds.get(id(variable), variable.value)) for variable in self.block.variables]
            with keras.StatelessScope(values):
                return self.block(x, decoder_attention_mask=decoder_attention_mask, training=training)

        return keras.remat(run)(x)

    def compute_output_spec(self, x: Any, **_: Any) -> Any:
        return keras.KerasTensor(x.shape, self.block.compute_dtype)

    def _draw(self) -> dict[int, Any]:
        """Returns a random state of its own for each generator in the block: variable id → [2]."""
        if self.seeds is None:
            return {}
        drawn = self.seeds.next()  # [2]: seed and counter
        return {
            id(generator.state): drawn + ops.convert_to_tensor([index, 0], dtype=drawn.dtype)
            for index, generator in enumerate(self.generators)
        }


def _generators(block: keras.layers.Layer) -> list[keras.random.SeedGenerator]:
    layers = block._flatten_layers()
    return [layer.seed_generator for layer in layers if isinstance(layer, keras.layers.Dropout) and layer.rate > 0]
