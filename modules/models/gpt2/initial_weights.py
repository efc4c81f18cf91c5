"""GPT-2's random weights, for a model trained from scratch.

KerasHub draws its GPT-2's token embeddings from half the published deviation and leaves out the scaling with depth,
because it expects a preset to be loaded over them.

Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3: the weights of residual
layers are scaled by 1/sqrt(N), N being the number of residual layers, of which every block has two.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import keras

from modules.models.gpt2.layers import blocks

if TYPE_CHECKING:
    from keras_hub.models import GPT2Backbone

DEVIATION = 0.02


def draw_weights(backbone: GPT2Backbone) -> None:
    """Draws anew what KerasHub draws otherwise than GPT-2: the embeddings, and the last kernel of each residual branch.

    In place; from Keras' global seed. The other kernels, from N(0, 0.02²), the zero biases and the norms stay.
    """
    _draw(backbone.token_embedding.embeddings, DEVIATION)
    _draw(backbone.position_embedding.position_embeddings, DEVIATION)
    residual = DEVIATION / math.sqrt(2 * backbone.num_layers)
    for block in blocks(backbone):
        _draw(block.output.kernel, residual)
        _draw(block.projection.kernel, residual)


def _draw(variable: keras.Variable, deviation: float) -> None:
    variable.assign(keras.initializers.RandomNormal(stddev=deviation)(variable.shape, dtype=variable.dtype))
