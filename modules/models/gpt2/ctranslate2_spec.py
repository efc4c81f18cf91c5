"""GPT-2 as a CTranslate2 model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modules.models.gpt2.arrays import Affine, array, block_arrays, norm_arrays
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
    decoder.embeddings.weight = array(backbone.token_embedding.embeddings)
    decoder.position_encodings.encodings = array(backbone.position_embedding.position_embeddings)
    decoder.projection.weight = decoder.embeddings.weight
    _fill_norm(decoder.layer_norm, norm_arrays(backbone.layer_norm))
    for spec, block in zip(decoder.layer, block_arrays(backbone), strict=True):
        attention = spec.self_attention
        _fill_norm(attention.layer_norm, block.attention_norm)
        attention.linear[0].weight, attention.linear[0].bias = block.attention_in
        attention.linear[1].weight, attention.linear[1].bias = block.attention_out
        _fill_norm(spec.ffn.layer_norm, block.feedforward_norm)
        spec.ffn.linear_0.weight, spec.ffn.linear_0.bias = block.feedforward_in
        spec.ffn.linear_1.weight, spec.ffn.linear_1.bias = block.feedforward_out


def _fill_norm(spec: Any, norm: Affine) -> None:
    spec.gamma, spec.beta = norm
