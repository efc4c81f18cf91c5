"""Low-rank adapters (Hu et al., 2021) over a frozen base, which may be quantised (Dettmers et al., 2023).

Keras' own machinery does both: ``layer.quantize`` and ``layer.enable_lora``. Embeddings and layer norms keep their
precision: the loss reads the token embedding, and together they are small.

Keras gives query, key and value one adapter per head: kernel [D, heads, head_dim] gets a [D, heads, rank] and
b [rank, head_dim]. So the trainable parameters of a rank are not those of other libraries.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from modules.models.families import family_of
from modules.models.family import Sizes

if TYPE_CHECKING:
    from keras_hub.models import Backbone

    from modules.settings.training import LoraTarget, Quantization, TrainingSettings, Unfrozen

# Rows of a kernel that share a scale and a zero point in int4, as in QLoRA.
INT4_BLOCK_ROWS = 64


class AdapterError(ValueError):
    """Adapters of these settings do not fit the model."""

    user_message = True


def adapt(backbone: Backbone, training: TrainingSettings) -> None:
    """Quantises the backbone and adds adapters to it, in place, as far as the settings ask for that.

    Raises:
        AdapterError: If adapters of this rank do not fit.
    """
    if training.lora_rank == 0:
        return
    if training.quantized_base != "none":
        quantize_base(backbone, training.quantized_base)
    add_adapters(
        backbone,
        rank=training.lora_rank,
        alpha=training.lora_alpha,
        targets=training.lora_targets,
        unfrozen=training.lora_unfrozen,
    )


def quantize_base(backbone: Backbone, mode: Quantization) -> None:
    """Stores the kernels of all blocks as integers, in place; activations stay as they are.

    int8 has a scale per output, int4 a scale and a zero point per output and 64 inputs. A kernel is turned back into
    the compute dtype where it is multiplied.
    """
    for layer in _dense_layers(backbone):
        layer.quantize(mode, config=_quantization_config(mode))


def _quantization_config(mode: Quantization) -> Any:
    if mode == "int8":
        return keras.quantizers.Int8QuantizationConfig(activation_quantizer=None)
    return keras.quantizers.Int4QuantizationConfig(block_size=INT4_BLOCK_ROWS)


def add_adapters(
    backbone: Backbone,
    *,
    rank: int,
    alpha: float,
    targets: Sequence[LoraTarget],
    unfrozen: Collection[Unfrozen] = (),
) -> None:
    """Freezes the backbone and adds adapters, in place; they start as 0, so the model stays what it is.

    Args:
        backbone: plain, or quantised before.
        rank: of each adapter, at least 1.
        alpha: an adapter's product is scaled by alpha / rank.
        targets: the layers that get one.
        unfrozen: what is trained besides.

    Raises:
        AdapterError: If the rank is more than the width of a target's adapter can use.
    """
    family = family_of(backbone)
    blocks = family.blocks(backbone)
    chosen = [layer for block in blocks for target in targets for layer in block.adapter_targets(target)]
    for variable in backbone.variables:
        variable.trainable = False
    for layer in chosen:
        _check_rank(layer, rank)
        layer.enable_lora(rank, lora_alpha=alpha)
    if "layer_norms" in unfrozen:
        norms = [*family.norms(backbone), *(norm for block in blocks for norm in block.norms)]
        _unfreeze(variable for norm in norms for variable in (norm.gamma, norm.beta))
    if "embeddings" in unfrozen:
        _unfreeze(family.embeddings(backbone))


def has_adapters(backbone: Backbone) -> bool:
    """Returns whether any layer has an adapter."""
    return any(layer.lora_enabled for layer in _dense_layers(backbone))


def is_quantized(backbone: Backbone) -> bool:
    """Returns whether any kernel is stored as integers."""
    return any(layer.quantization_mode is not None for layer in _dense_layers(backbone))


def merged_kernel(layer: Any) -> np.ndarray:
    """Returns the kernel that the layer stands for: the base, turned back into float32, plus its adapter.

    Not quantised again, as Keras does when it saves such a layer, which would change the model.

    Returns:
        float32, in the shape of a plain layer's kernel.
    """
    kernel = base_kernel(layer)
    return kernel + adapter_product(layer).reshape(kernel.shape) if layer.lora_enabled else kernel


def base_kernel(layer: Any) -> np.ndarray:
    """Returns the kernel without its adapter, in float32."""
    mode = layer.quantization_mode
    stored = _array(layer._kernel)
    if mode is None:
        return stored.astype(np.float32)
    if mode == "int8":
        scale = layer.kernel_scale
        if isinstance(layer, keras.layers.EinsumDense):
            scale = layer._adjust_scale_for_dequant(keras.ops.convert_to_tensor(scale))
        return stored.astype(np.float32) / _array(scale)
    return _from_int4(layer)


def _from_int4(layer: Any) -> np.ndarray:
    """float32 of a kernel whose integers are packed in pairs [rows, columns / 2], with scales by groups of rows."""
    scale, zero = _array(layer.kernel_scale), _array(layer.kernel_zero).astype(np.float32)  # [groups, columns]
    packed = keras.ops.convert_to_tensor(layer._kernel)
    integers = _array(keras.quantizers.unpack_int4(packed, scale.shape[-1], axis=-1)).astype(np.float32)
    group = np.arange(len(integers)) // INT4_BLOCK_ROWS
    kernel = (integers - zero[group]) * scale[group]  # [rows, columns]
    return kernel.reshape(getattr(layer, "original_kernel_shape", kernel.shape))


def adapter_product(layer: Any) -> np.ndarray:
    """Returns the sum that a layer's adapter adds to its kernel, in float32."""
    return (layer.lora_alpha / layer.lora_rank) * np.matmul(_array(layer.lora_kernel_a), _array(layer.lora_kernel_b))


def parameter_counts(backbone: Backbone) -> dict[str, int]:
    """Returns ``parameters`` of the model as it will be exported, and ``trainable_parameters``, adapters included.

    Keras counts a quantised kernel's packed integers and scales instead.
    """
    return {
        "parameters": family_of(backbone).parameters(Sizes.of(backbone)),
        "trainable_parameters": sum(int(np.prod(variable.shape)) for variable in backbone.trainable_variables),
    }


def _dense_layers(backbone: Backbone) -> list[Any]:
    return [layer for block in family_of(backbone).blocks(backbone) for layer in block.dense]


def _check_rank(layer: Any, rank: int) -> None:
    shape = tuple(getattr(layer, "original_kernel_shape", layer._kernel.shape))
    if rank > shape[-1]:
        raise AdapterError(
            "An adapter's rank cannot exceed the width that it adds to. "
            f"Received: training.lora_rank={rank}; {layer.path} is {shape[-1]} wide. "
            "Lower the rank, or leave the layer out of training.lora_targets."
        )


def _unfreeze(variables: Iterable[Any]) -> None:
    for variable in variables:
        variable.trainable = True


def _array(variable: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(variable))
