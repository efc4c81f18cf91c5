from __future__ import annotations

import keras
import keras_hub
import numpy as np
import pytest

from modules.models import recompute
from modules.models.attention import AttentionError, attention_of, chosen_attention
from modules.models.gpt2.network import build_backbone, hidden_states
from modules.models.training_model import training_model
from tests.modules.packed import gradients, packed_batch, train

pytestmark = pytest.mark.arithmetic

VOCABULARY = 300


def make(*, dropout: float = 0.0, dtype: str = "float32") -> keras_hub.models.GPT2Backbone:
    keras.utils.set_random_seed(1)
    return build_backbone(
        vocabulary_size=VOCABULARY,
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=64,
        dropout=dropout,
        max_sequence_length=32,
        dtype=dtype,
    )


def of(*, dropout: float, remat: bool) -> dict[str, np.ndarray]:
    model = training_model(make(dropout=dropout), sequence_length=16, remat=remat)
    return gradients(model, vocabulary_size=VOCABULARY)


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    learnt = [path for path in one if "seed" not in path]
    assert len(learnt) == 2 + 2 * 16 + 2
    for path in learnt:
        np.testing.assert_allclose(one[path], other[path], rtol=0, atol=1e-6, err_msg=path)


def test_blocks_that_run_twice_have_the_same_gradients() -> None:
    assert_same(of(dropout=0.0, remat=True), of(dropout=0.0, remat=False))


def test_blocks_that_run_twice_drop_the_same_both_times(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = of(dropout=0.4, remat=True)
    monkeypatch.setattr(recompute.keras, "remat", lambda run: run)  # once, with the same random numbers
    assert_same(twice, of(dropout=0.4, remat=True))


def test_every_step_and_every_dropout_layer_drops_anew() -> None:
    backbone = make(dropout=0.4)
    model = training_model(backbone, sequence_length=16, remat=True)
    blocks = [layer for layer in model.layers if isinstance(layer, recompute.Recomputed)]
    states = [tuple(np.ravel(np.array(state))) for block in blocks for state in block._draw().values()]
    states += [tuple(np.ravel(np.array(state))) for block in blocks for state in block._draw().values()]
    assert len(set(states)) == 2 * 2 * 3, "two draws for two blocks of three dropout layers"
    losses = train(model, keras.optimizers.SGD(1e-9), steps=3, vocabulary_size=VOCABULARY)
    assert len(set(losses)) == 3


def test_hidden_states_are_the_backbones_own() -> None:
    backbone = make()
    tokens = packed_batch(VOCABULARY)["token_ids"]
    expected = backbone({"token_ids": tokens, "padding_mask": np.ones_like(tokens)})
    np.testing.assert_allclose(hidden_states(backbone, tokens, training=False), expected, rtol=0, atol=1e-6)


def test_plain_attention_is_what_keras_is_told_and_forgets_again() -> None:
    before = keras.config.is_flash_attention_enabled()
    with chosen_attention("plain"):
        plain = make()
    assert attention_of(plain, "plain") == "plain (as asked)"
    assert not plain.transformer_layers[0]._self_attention_layer._flash_attention
    assert keras.config.is_flash_attention_enabled() == before


def test_without_a_fused_kernel_the_reason_is_told() -> None:
    told = attention_of(make(dtype="mixed_bfloat16"), "auto")
    assert (
        told
        == {
            "tensorflow": "plain (the tensorflow backend has no fused attention)",
            "jax": "plain (the fused kernel needs an NVIDIA GPU, the device is cpu)",
        }[keras.backend.backend()]
    )


def test_fused_attention_that_cannot_be_had_is_refused() -> None:
    with pytest.raises(AttentionError, match=r"training\.attention='fused'; .* Set training\.attention to auto"):
        attention_of(make(dropout=0.1), "fused")
