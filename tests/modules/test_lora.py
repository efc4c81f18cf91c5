from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import keras_hub
import numpy as np
import pytest

from modules.models.float32 import as_float32
from modules.models.gpt2.layers import blocks
from modules.models.gpt2.network import build_backbone, hidden_states
from modules.models.lora import (
    AdapterError,
    add_adapters,
    base_kernel,
    has_adapters,
    is_quantized,
    parameter_counts,
    quantize_base,
)
from modules.models.training_model import training_model
from modules.settings.training import LORA_TARGETS, LoraTarget
from tests.modules.packed import gradients, packed_batch, train

pytestmark = pytest.mark.arithmetic

VOCABULARY = 300
BASES = (None, "int8", "int4")


def make(dtype: str = "float32", *, hidden_dim: int = 32) -> keras_hub.models.GPT2Backbone:
    keras.utils.set_random_seed(1)
    backbone = build_backbone(
        vocabulary_size=VOCABULARY,
        num_layers=2,
        num_heads=2,
        hidden_dim=hidden_dim,
        intermediate_dim=80,
        dropout=0.0,
        max_sequence_length=32,
        dtype=dtype,
    )
    backbone.set_weights([weight * 4 for weight in backbone.get_weights()])  # far from all logits being equal
    return backbone


def adapted(
    base: str | None, *, targets: Sequence[LoraTarget] = LORA_TARGETS, **options: Any
) -> keras_hub.models.GPT2Backbone:
    backbone = make(**options)
    if base:
        quantize_base(backbone, base)
    add_adapters(backbone, rank=3, alpha=6.0, targets=targets)
    return backbone


class Learnt(NamedTuple):
    """A model with adapters, its variables before the training, the model that trained it, and the losses."""

    backbone: keras_hub.models.GPT2Backbone
    before: dict[str, np.ndarray]
    model: keras.Model
    losses: list[float]


@functools.cache
def learnt(base: str | None, dtype: str = "float32") -> Learnt:
    """One training of four steps, which the tests look at together; none may change it."""
    backbone = adapted(base, dtype=dtype)
    before = {variable.path: np.array(variable) for variable in backbone.variables}
    model = training_model(backbone, sequence_length=16)
    losses = train(model, keras.optimizers.AdamW(1e-2), steps=4, vocabulary_size=VOCABULARY)
    return Learnt(backbone, before, model, losses)


def outputs(backbone: keras_hub.models.GPT2Backbone) -> np.ndarray:
    tokens = packed_batch(VOCABULARY)["token_ids"]
    return np.asarray(keras.ops.convert_to_numpy(hidden_states(backbone, tokens, training=False)), np.float32)


def test_new_adapters_leave_the_model_as_it_is() -> None:
    plain = make()
    np.testing.assert_array_equal(outputs(adapted(None)), outputs(plain))


@pytest.mark.parametrize("base", BASES)
def test_training_changes_the_adapters_and_nothing_else(base: str | None) -> None:
    backbone, before, model, losses = learnt(base)
    changed = {variable.path for variable in backbone.variables if not np.array_equal(variable, before[variable.path])}
    assert len(changed) == 2 * 6 * 2, "a and b of six kernels in two blocks"
    assert all(path.rpartition("/")[2] in ("lora_kernel_a", "lora_kernel_b") for path in changed)
    assert losses[-1] < losses[0]
    # Two moments for each, a step counter and a learning rate: nothing for what is frozen.
    assert len(model.optimizer.variables) == 2 * len(changed) + 2


@pytest.mark.parametrize("base", BASES)
def test_the_merged_model_answers_as_with_its_adapters_on(base: str | None) -> None:
    backbone = learnt(base).backbone
    merged = as_float32(backbone)
    assert not has_adapters(merged)
    assert not is_quantized(merged)
    expected = outputs(backbone)
    assert np.abs(expected - outputs(make())).max() > 0.05, "the adapters do something"
    np.testing.assert_allclose(outputs(merged), expected, rtol=0, atol=2e-5 * np.abs(expected).max())


def test_adapters_trained_in_half_precision_merge_to_half_precisions_rounding() -> None:
    backbone = learnt("int8", "mixed_bfloat16").backbone
    expected = outputs(backbone)
    assert np.abs(outputs(as_float32(backbone)) - expected).mean() < 0.02 * np.abs(expected).mean()


@pytest.mark.parametrize(("base", "largest"), [("int8", 1 / 254), ("int4", 1 / 14)])
def test_a_quantised_kernel_is_off_by_half_a_step_at_most(base: str, largest: float) -> None:
    plain, quantised = make(), adapted(base)
    for one, other in zip(blocks(plain), blocks(quantised), strict=True):
        for before, after in zip(one.dense, other.dense, strict=True):
            kernel = np.asarray(before.kernel)
            assert np.abs(base_kernel(after) - kernel).max() <= largest * np.abs(kernel).max() * 1.1


@pytest.mark.parametrize("base", BASES)
def test_gradients_of_adapters_are_those_of_the_merged_kernels(base: str | None) -> None:
    """By the chain rule, with kernel = base + scale a b: the gradient of b is scale times a's transpose and the
    kernel's."""
    backbone = learnt(base).backbone
    kernels, adapters = (
        gradients(training_model(network, sequence_length=16), vocabulary_size=VOCABULARY, eagerly=True)
        for network in (as_float32(backbone), backbone)
    )
    for name in ("self_attention/attention_output", "feedforward_output_dense"):
        path = f"transformer_layer_1/{name}"
        a = next(np.array(v) for v in backbone.variables if v.path.endswith(f"{path}/lora_kernel_a"))
        kernel = kernels[f"{path}/kernel"].reshape(-1, 32)
        expected = 2.0 * a.reshape(-1, 3).T @ kernel
        np.testing.assert_allclose(
            adapters[f"{path}/lora_kernel_b"], expected, rtol=0, atol=1e-4 * np.abs(expected).max()
        )


def test_only_the_targets_get_adapters() -> None:
    backbone = adapted(None, targets=("query", "feedforward"))
    paths = {variable.path.rpartition("/")[0] for variable in backbone.trainable_variables}
    names = ("self_attention/query", "feedforward_intermediate_dense", "feedforward_output_dense")
    assert paths == {f"transformer_layer_{block}/{name}" for block in range(2) for name in names}


def test_norms_and_embeddings_may_be_trained_too() -> None:
    backbone = make()
    add_adapters(backbone, rank=3, alpha=6.0, targets=("value",), unfrozen=("layer_norms", "embeddings"))
    names = sorted(variable.path.rpartition("/")[2] for variable in backbone.trainable_variables)
    assert names == ["beta"] * 5 + ["embeddings"] * 2 + ["gamma"] * 5 + ["lora_kernel_a"] * 2 + ["lora_kernel_b"] * 2


def test_parameters_are_those_of_the_exported_model() -> None:
    plain = make()
    # Per head a has 3 for each of 32 inputs, and b 16 for each of 3.
    in_adapters = 2 * (3 * (32 * 2 * 3 + 3 * 16) + (32 * 3 + 3 * 32) + (32 * 3 + 3 * 80) + (80 * 3 + 3 * 32))
    for base in BASES:
        counts = parameter_counts(adapted(base))
        assert counts == {"parameters": plain.count_params(), "trainable_parameters": in_adapters}


def test_a_quantised_base_is_smaller_in_memory() -> None:
    def bytes_of_kernels(backbone: keras_hub.models.GPT2Backbone) -> int:
        layers = [layer for block in blocks(backbone) for layer in block.dense]
        return sum(np.array(v).nbytes for layer in layers for v in layer.variables if "bias" not in v.path)

    sizes = []
    for base in BASES:
        backbone = make(hidden_dim=128)
        if base:
            quantize_base(backbone, base)
        sizes.append(bytes_of_kernels(backbone))
    assert sizes[0] / sizes[1] > 3.8
    assert sizes[0] / sizes[2] > 6


def test_a_rank_beyond_the_width_names_the_layer() -> None:
    with pytest.raises(AdapterError, match=r"lora_rank=17; transformer_layer_0/self_attention/query is 16 wide"):
        add_adapters(make(), rank=17, alpha=1.0, targets=("query",))
