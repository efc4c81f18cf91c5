"""GPT-2's weights from files: a KerasHub preset, or a Transformers checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras_hub
import numpy as np

from modules.models.gpt2.checkpoint import read_sizes, shape_problems
from modules.models.gpt2.layers import blocks
from modules.models.gpt2.network import build_backbone
from modules.models.gpt2.tokenizer import check_fit, from_keras, load_tokenizer, read_vocabulary
from modules.models.model_files import CheckpointError, Tensor, tensors
from modules.models.presets import load_from_preset

if TYPE_CHECKING:
    from keras_hub.models import GPT2Backbone, GPT2Tokenizer
    from tokenizers import Tokenizer


logger = logging.getLogger(__name__)


def load_preset(preset: str, *, dropout: float, dtype: str) -> tuple[GPT2Backbone, Tokenizer]:
    """Returns backbone and tokenizer of a KerasHub preset.

    Args:
        preset: a preset's name, such as ``gpt2_base_en``, a ``hf://`` or ``kaggle://`` handle, or a folder.
        dropout: share of activations dropped while training, 0 to 1.
        dtype: Keras dtype policy, such as ``mixed_bfloat16``.

    Raises:
        PresetError: If it is unknown, damaged, or the download fails.
        TokenizerError: If its tokenizer does not fit the model.
    """
    backbone = load_from_preset(
        preset, partial(keras_hub.models.GPT2Backbone.from_preset, dtype=dtype, dropout=dropout)
    )
    tokenizer = preset_tokenizer(preset)
    check_fit(tokenizer.vocabulary, backbone.vocabulary_size)
    return backbone, from_keras(tokenizer)


def load_transformers(folder: Path, *, dropout: float, dtype: str) -> tuple[GPT2Backbone, Tokenizer]:
    """Returns backbone and tokenizer of a Transformers checkpoint's folder; PyTorch is not needed.

    Rows of the embedding that no token uses are left out.

    Raises:
        CheckpointError: If it is not a whole GPT-2 in safetensors; with the layers and both shapes.
        TokenizerError: If its tokenizer does not fit the model.
    """
    sizes, found = read_sizes(folder, "transformers"), tensors(folder)
    problems = list(shape_problems(found, sizes))
    if problems:
        raise CheckpointError("\n".join(problems))
    vocabulary, _ = read_vocabulary(folder)
    check_fit(vocabulary, sizes.vocabulary_size)
    spare = sizes.vocabulary_size - len(vocabulary)
    if spare:
        logger.info("The embedding of %s has %d rows that no token uses: they are left out.", folder, spare)
    backbone = build_backbone(
        vocabulary_size=len(vocabulary),
        num_layers=sizes.num_layers,
        num_heads=sizes.num_heads,
        hidden_dim=sizes.hidden_dim,
        intermediate_dim=sizes.intermediate_dim,
        max_sequence_length=sizes.max_sequence_length,
        dropout=dropout,
        dtype=dtype,
    )
    for variable, array in _assignments(backbone, found):
        variable.assign(array)
    return backbone, load_tokenizer(folder)


def _assignments(backbone: GPT2Backbone, found: Mapping[str, Tensor]) -> Iterator[tuple[Any, np.ndarray]]:
    """Yields each weight of the backbone with its value."""
    yield backbone.token_embedding.embeddings, found["wte.weight"].read()[: backbone.vocabulary_size]
    yield backbone.position_embedding.position_embeddings, found["wpe.weight"].read()
    yield from _norm(backbone.layer_norm, found, "ln_f")
    for index, block in enumerate(blocks(backbone)):
        yield from _norm(block.attention_norm, found, f"h.{index}.ln_1")
        yield from _norm(block.feedforward_norm, found, f"h.{index}.ln_2")
        # Transformers: [in, out], query, key and value side by side; Keras: apart, and by heads.
        kernel, bias = (found[f"h.{index}.attn.c_attn.{part}"].read() for part in ("weight", "bias"))
        parts = zip(np.split(kernel, 3, axis=-1), np.split(bias, 3), strict=True)
        for layer, (kernel_part, bias_part) in zip((block.query, block.key, block.value), parts, strict=True):
            yield layer.kernel, kernel_part.reshape(layer.kernel.shape)
            yield layer.bias, bias_part.reshape(layer.bias.shape)
        dense = {"attn.c_proj": block.output, "mlp.c_fc": block.intermediate, "mlp.c_proj": block.projection}
        for name, layer in dense.items():
            yield layer.kernel, found[f"h.{index}.{name}.weight"].read().reshape(layer.kernel.shape)
            yield layer.bias, found[f"h.{index}.{name}.bias"].read()


def _norm(layer: Any, found: Mapping[str, Tensor], name: str) -> Iterator[tuple[Any, np.ndarray]]:
    yield layer.gamma, found[f"{name}.weight"].read()
    yield layer.beta, found[f"{name}.bias"].read()


def preset_tokenizer(preset: str) -> GPT2Tokenizer:
    """Returns KerasHub's tokenizer of a preset; of one that is not here, only its tokenizer is downloaded."""
    return load_from_preset(preset, keras_hub.models.GPT2Tokenizer.from_preset)
