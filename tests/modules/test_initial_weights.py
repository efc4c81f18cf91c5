from __future__ import annotations

import keras
import keras_hub
import numpy as np
import pytest

from modules.models.gpt2.initial_weights import draw_weights
from modules.models.gpt2.layers import blocks
from modules.models.gpt2.network import build_backbone

LAYERS = 8


def drawn(*, dtype: str = "float32") -> keras_hub.models.GPT2Backbone:
    keras.utils.set_random_seed(3)
    backbone = build_backbone(
        vocabulary_size=500,
        num_layers=LAYERS,
        num_heads=4,
        hidden_dim=64,
        intermediate_dim=256,
        dropout=0.0,
        max_sequence_length=128,
        dtype=dtype,
    )
    draw_weights(backbone)
    return backbone


@pytest.fixture(scope="module")
def backbone() -> keras_hub.models.GPT2Backbone:
    return drawn()


def test_embeddings_have_gpt2s_deviation(backbone: keras_hub.models.GPT2Backbone) -> None:
    for variable in (backbone.token_embedding.embeddings, backbone.position_embedding.position_embeddings):
        assert np.std(variable.numpy()) == pytest.approx(0.02, rel=0.05)
        assert abs(np.mean(variable.numpy())) < 1e-3


def test_residual_branches_end_smaller_the_deeper_the_model(backbone: keras_hub.models.GPT2Backbone) -> None:
    for block in blocks(backbone):
        for layer in (block.output, block.projection):
            assert np.std(layer.kernel.numpy()) == pytest.approx(0.02 / np.sqrt(2 * LAYERS), rel=0.05)
        for layer in (block.query, block.key, block.value, block.intermediate):
            assert np.std(layer.kernel.numpy()) == pytest.approx(0.02, rel=0.05)


def test_the_seed_decides_and_no_two_kernels_are_alike(backbone: keras_hub.models.GPT2Backbone) -> None:
    again = drawn()
    for one, other in zip(backbone.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    kernels = [layer.kernel.numpy() for block in blocks(again) for layer in (block.output, block.projection)]
    assert len({kernel.tobytes() for kernel in kernels}) == 2 * LAYERS
