"""GPT-2 as llama.cpp reads it, in one GGUF file with its vocabulary.

Source: the GGUF specification, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, and llama.cpp's own converter
of GPT-2 (``GPT2Model`` in ``convert_hf_to_gguf.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import gguf
import numpy as np
from gguf.quants import quantize

from modules.models.gpt2.arrays import Affine, array, block_arrays, norm_arrays
from modules.models.gpt2.tokenizer import end_token_id, vocabulary_and_merges

if TYPE_CHECKING:
    from keras_hub.models import GPT2Backbone
    from tokenizers import Tokenizer

ARCHITECTURE = "gpt2"
PRE_TOKENIZER = "gpt-2"  # llama.cpp's name of the pattern that parts a text before its bytes are merged
EPSILON = 1e-5  # of layer normalisation
# Names of a block's weights, by their place in the block.
NAMES = {
    "attention_norm": "attn_norm",
    "attention_in": "attn_qkv",
    "attention_out": "attn_output",
    "feedforward_norm": "ffn_norm",
    "feedforward_in": "ffn_up",
    "feedforward_out": "ffn_down",
}


def save_gguf(
    backbone: GPT2Backbone, tokenizer: Tokenizer, file: Path, *, weights: gguf.GGMLQuantizationType, chat_template: str
) -> None:
    """Writes a GGUF file.

    Args:
        backbone: the model.
        tokenizer: its tokenizer.
        file: where to; its folder is there.
        weights: how matrices are stored. A matrix whose rows do not divide into the type's blocks is stored in float16;
            what is no matrix, and the positions, in float32.
        chat_template: Jinja, of a conversation.
    """
    writer = gguf.GGUFWriter(file, ARCHITECTURE)
    _add_sizes(writer, backbone)
    writer.add_file_type(gguf.LlamaFileType[f"{'ALL' if weights.name == 'F32' else 'MOSTLY'}_{weights.name}"])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    _add_tokenizer(writer, tokenizer, rows=backbone.vocabulary_size)
    if chat_template:
        writer.add_chat_template(chat_template)
    for name, values in _tensors(backbone):
        is_matrix = values.ndim == 2 and not name.startswith("position_embd")
        stored = _fitting(weights, values) if is_matrix else gguf.GGMLQuantizationType.F32
        writer.add_tensor(name, quantize(np.ascontiguousarray(values), stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_sizes(writer: gguf.GGUFWriter, backbone: GPT2Backbone) -> None:
    writer.add_context_length(backbone.max_sequence_length)
    writer.add_embedding_length(backbone.hidden_dim)
    writer.add_feed_forward_length(backbone.intermediate_dim)
    writer.add_block_count(backbone.num_layers)
    writer.add_head_count(backbone.num_heads)
    writer.add_layer_norm_eps(EPSILON)


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer, *, rows: int) -> None:
    vocabulary, merges = vocabulary_and_merges(tokenizer)
    end_id = end_token_id(tokenizer)
    tokens = [token for token, _ in sorted(vocabulary.items(), key=lambda item: item[1])]
    types = [gguf.TokenType.CONTROL if index == end_id else gguf.TokenType.NORMAL for index in range(len(tokens))]
    unused = range(len(tokens), rows)  # rows that an embedding was filled up with
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list([*tokens, *(f"<unused{index}>" for index in unused)])
    writer.add_token_types([*types, *(gguf.TokenType.UNUSED for _ in unused)])
    writer.add_token_merges(list(merges))
    writer.add_bos_token_id(end_id)
    writer.add_eos_token_id(end_id)
    writer.add_add_bos_token(False)


def _tensors(backbone: GPT2Backbone) -> Iterator[tuple[str, np.ndarray]]:
    """Yields name and float32 values; the output matrix is the embedding, which llama.cpp takes where none is given."""
    yield "token_embd.weight", array(backbone.token_embedding.embeddings)
    yield "position_embd.weight", array(backbone.position_embedding.position_embeddings)
    for number, block in enumerate(block_arrays(backbone)):
        for place, values in block._asdict().items():
            yield from _named(f"blk.{number}.{NAMES[place]}", values)
    yield from _named("output_norm", norm_arrays(backbone.layer_norm))


def _named(name: str, values: Affine) -> Iterator[tuple[str, np.ndarray]]:
    yield f"{name}.weight", values.weight
    yield f"{name}.bias", values.bias


def _fitting(wanted: gguf.GGMLQuantizationType, values: np.ndarray) -> gguf.GGMLQuantizationType:
    block, _ = gguf.GGML_QUANT_SIZES[wanted]
    return wanted if values.shape[-1] % block == 0 else gguf.GGMLQuantizationType.F16
