"""GPT-2 as a CTranslate2 model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modules.models.gpt2.layers import blocks
from modules.models.gpt2.tokenizer import vocabulary_and_merges
from modules.prompts.format import END_TOKEN

if TYPE_CHECKING:
    from keras_hub.models import GPT2Backbone
    from tokenizers import Tokenizer


def ctranslate2_spec(backbone: GPT2Backbone, tokenizer: Tokenizer) -> Any:
    """Returns a validated ``ctranslate2.specs.ModelSpec`` with float32 weights and the vocabulary.

    Raises:
        ValueError: If vocabulary and embedding differ in size.
    """
    import ctranslate2

    spec = ctranslate2.specs.TransformerDecoderModelSpec.from_config(
        backbone.num_layers,
        backbone.num_heads,
        pre_norm=True,
        activation=ctranslate2.specs.Activation.GELUTanh,
    )
    _fill_decoder(spec.decoder, backbone)
    vocabulary, _ = vocabulary_and_merges(tokenizer)
    if len(vocabulary) != backbone.vocabulary_size:
        raise ValueError(
            "The vocabulary and the model's embedding must have one size. "
            f"Received: {len(vocabulary)} tokens, embedding of {backbone.vocabulary_size}"
        )
    spec.register_vocabulary(list(vocabulary))
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = END_TOKEN
    spec.validate()
    return spec


def _fill_decoder(decoder: Any, backbone: GPT2Backbone) -> None:
    decoder.scale_embeddings = False
    decoder.embeddings.weight = _array(backbone.token_embedding.embeddings)
    decoder.position_encodings.encodings = _array(backbone.position_embedding.position_embeddings)
    decoder.projection.weight = decoder.embeddings.weight
    _fill_norm(decoder.layer_norm, backbone.layer_norm)
    for spec, block in zip(decoder.layer, blocks(backbone), strict=True):
        _fill_norm(spec.self_attention.layer_norm, block.attention_norm)
        parts = [block.query, block.key, block.value]
        size = backbone.hidden_dim
        # Keras: [D, heads, head_dim]; CTranslate2: [out, in], query, key and value as one.
        spec.self_attention.linear[0].weight = np.concatenate([_array(p.kernel).reshape(size, size).T for p in parts])
        spec.self_attention.linear[0].bias = np.concatenate([_array(p.bias).reshape(size) for p in parts])
        spec.self_attention.linear[1].weight = _array(block.output.kernel).reshape(size, size).T
        spec.self_attention.linear[1].bias = _array(block.output.bias)
        _fill_norm(spec.ffn.layer_norm, block.feedforward_norm)
        _fill_dense(spec.ffn.linear_0, block.intermediate)
        _fill_dense(spec.ffn.linear_1, block.projection)


def _fill_norm(spec: Any, layer: Any) -> None:
    spec.gamma, spec.beta = _array(layer.gamma), _array(layer.beta)


def _fill_dense(spec: Any, layer: Any) -> None:
    spec.weight, spec.bias = _array(layer.kernel).T, _array(layer.bias)


def _array(variable: Any) -> np.ndarray:
    return np.asarray(variable.numpy(), dtype=np.float32)
