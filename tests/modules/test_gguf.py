"""GGUF files, read back with the format's own library, and Ollama's Modelfile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf.quants import quantize
from keras_hub.models import GPT2Backbone
from tokenizers import Tokenizer

from modules.exports import FORMS, TrainedModel
from modules.exports.ollama import go_template, modelfile
from modules.models.gpt2.network import build_backbone
from modules.models.gpt2.numpy_gpt2 import read_checkpoint, read_gguf
from modules.prompts import ALPACA, DOCUMENT
from modules.proving.stored_weights import rounded_to_float16, rounded_to_q8_0
from modules.settings.generation import GenerationSettings

pytestmark = pytest.mark.arithmetic

NAMES = {"gguf": "model-Q8_0.gguf", "gguf_float16": "model-F16.gguf", "gguf_float32": "model-F32.gguf"}
TYPES = {"gguf": "Q8_0", "gguf_float16": "F16", "gguf_float32": "F32"}


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer) -> TrainedModel:
    """32 wide, one block of Q8_0; its embedding has a row more than the vocabulary."""
    backbone = build_backbone(
        vocabulary_size=tokenizer.get_vocab_size() + 1,
        num_layers=2,
        num_heads=2,
        hidden_dim=32,
        intermediate_dim=48,
        dropout=0.0,
        max_sequence_length=64,
        dtype="float32",
    )
    numbers = np.random.default_rng(3)
    backbone.set_weights([numbers.normal(scale=0.3, size=weight.shape) for weight in backbone.get_weights()])
    return TrainedModel(backbone, tokenizer, GenerationSettings(max_new_tokens=8))


@pytest.fixture(scope="module")
def exports(model: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports")
    for name in (*NAMES, "transformers"):
        FORMS[name].write(model, folder / name)
    return folder


def contents(reader: gguf.GGUFReader) -> dict[str, Any]:
    return {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}


def test_a_file_says_what_llama_cpp_asks_for(exports: Path, tokenizer: Tokenizer) -> None:
    said = contents(gguf.GGUFReader(exports / "gguf" / NAMES["gguf"]))
    end, merges = tokenizer.get_vocab_size() - 1, said.pop("tokenizer.ggml.merges")
    tokens, types = said.pop("tokenizer.ggml.tokens"), said.pop("tokenizer.ggml.token_type")
    assert said == {
        "general.architecture": "gpt2",
        "general.file_type": gguf.LlamaFileType.MOSTLY_Q8_0,
        "general.quantization_version": gguf.GGML_QUANT_VERSION,
        "gpt2.context_length": 64,
        "gpt2.embedding_length": 32,
        "gpt2.feed_forward_length": 48,
        "gpt2.block_count": 2,
        "gpt2.attention.head_count": 2,
        "gpt2.attention.layer_norm_epsilon": pytest.approx(1e-5),
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.bos_token_id": end,
        "tokenizer.ggml.eos_token_id": end,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": ALPACA.published_chat_template(),
    }
    assert tokens == [*(tokenizer.id_to_token(index) for index in range(end + 1)), f"<unused{end + 1}>"]
    assert types == [*[gguf.TokenType.NORMAL] * end, gguf.TokenType.CONTROL, gguf.TokenType.UNUSED]
    assert 0 < len(merges) < len(tokens)


@pytest.mark.parametrize("name", NAMES)
def test_matrices_are_stored_as_asked_or_in_float16_where_blocks_do_not_fit(exports: Path, name: str) -> None:
    stored = {each.name: each.tensor_type.name for each in gguf.GGUFReader(exports / name / NAMES[name]).tensors}
    matrices = {tensor: kind for tensor, kind in stored.items() if kind != "F32"}
    assert stored["position_embd.weight"] == stored["output_norm.weight"] == stored["blk.0.attn_qkv.bias"] == "F32"
    assert (
        stored["token_embd.weight"] == stored["blk.1.attn_qkv.weight"] == stored["blk.1.ffn_up.weight"] == TYPES[name]
    )
    assert stored["blk.1.ffn_down.weight"] == {"Q8_0": "F16"}.get(TYPES[name], TYPES[name])  # 48 inputs: 1.5 blocks
    assert len(matrices) == (0 if name == "gguf_float32" else 9)
    assert len(stored) == 2 + 2 * 12 + 2


@pytest.mark.parametrize("name", NAMES)
def test_a_file_computes_what_the_checkpoint_with_rounded_weights_does(exports: Path, name: str) -> None:
    rounding = {"gguf": rounded_to_q8_0, "gguf_float16": rounded_to_float16, "gguf_float32": None}[name]
    options = {"matrix": rounding} if rounding else {}
    expected = read_checkpoint(exports / "transformers", **options).logits([1, 2, 3, 5, 8, 13])
    found = read_gguf(exports / name / NAMES[name]).logits([1, 2, 3, 5, 8, 13])
    # The same weights in the same order of operations: what is left is float32's rounding.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("size", [32, 64, 33])
def test_rounding_is_the_formats_own(size: int) -> None:
    weights = np.random.default_rng(size).normal(size=(7, size)).astype(np.float32)
    weights[3] = 0
    kind = gguf.GGMLQuantizationType.Q8_0 if size % 32 == 0 else gguf.GGMLQuantizationType.F16
    expected = gguf.dequantize(quantize(weights, kind), kind)
    np.testing.assert_array_equal(rounded_to_q8_0(weights).weight, expected)


def test_a_modelfile_has_the_prompt_and_the_decoding(exports: Path) -> None:
    assert (exports / "gguf" / "Modelfile").read_text(encoding="utf-8") == (
        "FROM ./model-Q8_0.gguf\n"
        'TEMPLATE """{{ if .System }}### Instruction:\n{{ .System }}\n\n{{ end }}'
        '### Instruction:\n{{ .Prompt }}\n\n### Response:\n{{ .Response }}<|endoftext|>"""\n'
        "PARAMETER num_ctx 64\n"
        "PARAMETER num_predict 8\n"
        "PARAMETER temperature 0.0\n"
        "PARAMETER top_k 0\n"
        "PARAMETER top_p 1.0\n"
        "PARAMETER repeat_penalty 1\n"
        'PARAMETER stop "<|endoftext|>"\n'
    )


def test_a_document_has_neither_marker_nor_end() -> None:
    assert go_template(DOCUMENT) == "{{ if .System }}{{ .System }}{{ end }}{{ .Prompt }}{{ .Response }}"


def test_what_gos_templates_would_read_is_quoted(backbone: GPT2Backbone, tokenizer: Tokenizer) -> None:
    braces = replace(ALPACA, without_input="{{{{x}}}} {instruction} ->", response_marker="->")
    assert go_template(braces).endswith('{{ "{{" }}x}} {{ .Prompt }} ->{{ .Response }}<|endoftext|>')
    quotes = replace(ALPACA, without_input='"""{instruction}')
    with pytest.raises(ValueError, match="A prompt in a Modelfile cannot hold"):
        modelfile(TrainedModel(backbone, tokenizer, prompt_format=quotes), "model.gguf")
