"""The attention kernel of a model: Keras' plain one, or a fused one that never stores the scores.

KerasHub's decoder hands its mask (causal and packing's segments at once) to ``keras.ops.dot_product_attention``. On the
JAX backend with an NVIDIA GPU from Ampere on, in half precision, that can be cuDNN's fused kernel; TensorFlow has none.
With dropout KerasHub computes the scores by itself, since it drops some of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import keras

if TYPE_CHECKING:
    from keras_hub.models import Backbone

    from modules.settings.training import Attention

HALF = ("bfloat16", "float16")


class AttentionError(ValueError):
    """Fused attention was asked for and cannot be had."""

    user_message = True


@contextmanager
def chosen_attention(attention: Attention) -> Iterator[None]:
    """Backbones made inside use the plain kernel, or else the fused one where possible."""
    # Keras knows "off" and "where possible", which is how it starts.
    was_off = keras.config.is_flash_attention_enabled() is False
    _switch(off=attention == "plain")
    try:
        yield
    finally:
        _switch(off=was_off)


def _switch(*, off: bool) -> None:
    (keras.config.disable_flash_attention if off else keras.config.enable_flash_attention)()


def attention_of(backbone: Backbone, attention: Attention) -> str:
    """Returns the attention kernel that the model uses: ``fused (cuDNN)``, or ``plain`` with the reason why.

    Args:
        backbone: made inside :func:`chosen_attention`.
        attention: what was asked for.

    Raises:
        AttentionError: If `fused` is asked for and cannot be had.
    """
    if attention == "plain":
        return "plain (as asked)"
    head_dim = backbone.hidden_dim // backbone.num_heads
    reason = _obstacle(dropout=backbone.dropout, head_dim=head_dim, dtype=backbone.compute_dtype)
    if reason is None:
        return "fused (cuDNN)"
    if attention == "fused":
        raise AttentionError(
            f"Fused attention cannot be had. Received: training.attention='fused'; {reason}. "
            "Set training.attention to auto, which takes what there is."
        )
    return f"plain ({reason})"


def _obstacle(*, dropout: float, head_dim: int, dtype: str) -> str | None:
    backend = keras.backend.backend()
    if backend != "jax":
        return f"the {backend} backend has no fused attention"
    if dropout > 0:
        return f"model.dropout={dropout} drops attention scores, which a fused kernel never stores"
    if dtype not in HALF:
        return f"the fused kernel computes in {' or '.join(HALF)}, not in {dtype}"
    jax = importlib.import_module("jax")
    platform = jax.devices()[0].platform
    if platform != "gpu":
        return f"the fused kernel needs an NVIDIA GPU, the device is {platform}"
    tensor = jax.ShapeDtypeStruct((1, 64, 1, head_dim), dtype)
    mask = jax.ShapeDtypeStruct((1, 1, 64, 64), bool)

    def attend(query: object, mask: object) -> object:
        return jax.nn.dot_product_attention(query, query, query, mask=mask, implementation="cudnn")

    try:
        jax.jit(attend).lower(tensor, mask).compile()
    except (RuntimeError, ValueError, NotImplementedError) as error:
        return str(error).partition("\n")[0]
    return None
