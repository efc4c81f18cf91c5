from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from modules.exports import TrainedModel
from modules.exports.adapter import ADAPTER, base_name
from modules.exports.writing import write_forms
from modules.models.gpt2.adapter_files import CONFIG_FILE, WEIGHTS_FILE, save_adapter
from modules.models.gpt2.family import GPT2
from modules.models.gpt2.layers import blocks
from modules.models.lora import add_adapters, quantize_base
from modules.models.training_model import training_model
from modules.settings.training import LORA_TARGETS
from tests.modules.packed import train
from tests.modules.test_lora import VOCABULARY, make

PREFIX = "base_model.model.transformer"


@pytest.fixture(scope="module")
def backbone() -> object:
    backbone = make()
    add_adapters(backbone, rank=3, alpha=6.0, targets=LORA_TARGETS, unfrozen=("layer_norms",))
    model = training_model(backbone, sequence_length=16)
    train(model, keras.optimizers.AdamW(1e-2), steps=2, vocabulary_size=VOCABULARY)
    return backbone


def test_the_files_hold_what_is_added_to_each_kernel(backbone: object, tmp_path: Path) -> None:
    save_adapter(backbone, tmp_path, base="some/base")
    arrays, config = load_file(tmp_path / WEIGHTS_FILE), json.loads((tmp_path / CONFIG_FILE).read_text())
    assert sorted(path.name for path in tmp_path.iterdir()) == [CONFIG_FILE, WEIGHTS_FILE]
    assert config["base_model_name_or_path"] == "some/base"
    assert config["rank_pattern"] == {"attn.c_attn": 3 * 2 * 3, "attn.c_proj": 3, "mlp.c_fc": 3, "mlp.c_proj": 3}

    def added(name: str) -> np.ndarray:
        """In the shape of Transformers' kernel, [in, out]."""
        layer = name.partition(".")[2].partition(".")[2]
        scale = config["alpha_pattern"][layer] / config["rank_pattern"][layer]
        a, b = (arrays[f"{PREFIX}.{name}.lora_{part}.weight"] for part in "AB")
        return scale * a.T @ b.T

    for index, block in enumerate(blocks(backbone)):
        attention = [np.asarray(layer.kernel) - np.asarray(layer._kernel) for layer in block[1:4]]
        expected = {
            "attn.c_attn": np.concatenate([kernel.reshape(32, 32) for kernel in attention], axis=1),
            "attn.c_proj": (np.asarray(block.output.kernel) - np.asarray(block.output._kernel)).reshape(32, 32),
            "mlp.c_fc": np.asarray(block.intermediate.kernel) - np.asarray(block.intermediate._kernel),
            "mlp.c_proj": np.asarray(block.projection.kernel) - np.asarray(block.projection._kernel),
        }
        for name, kernel in expected.items():
            np.testing.assert_allclose(added(f"h.{index}.{name}"), kernel, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(arrays[f"{PREFIX}.h.{index}.ln_1.weight"], block.attention_norm.gamma)
    assert config["modules_to_save"] == ["ln_1", "ln_2", "ln_f"]


def test_where_embeddings_were_trained_no_adapter_is_written(tokenizer: Tokenizer, tmp_path: Path) -> None:
    whole = make()
    add_adapters(whole, rank=2, alpha=2.0, targets=("query",), unfrozen=("embeddings",))
    write_forms(TrainedModel(whole, tokenizer), tmp_path, [ADAPTER])
    assert not (tmp_path / ADAPTER.artifact_folder).exists()


def test_adapters_of_a_quantised_base_are_saved_alike(tmp_path: Path) -> None:
    quantised = make()
    quantize_base(quantised, "int8")
    add_adapters(quantised, rank=2, alpha=2.0, targets=("value",))
    save_adapter(quantised, tmp_path, base="x")
    assert json.loads((tmp_path / CONFIG_FILE).read_text())["rank_pattern"] == {"attn.c_attn": 4}


def test_the_base_is_called_as_others_find_it(tmp_path: Path) -> None:
    assert base_name(GPT2, "gpt2_medium_en") == "openai-community/gpt2-medium"
    assert base_name(GPT2, "hub:me/model@main") == "me/model"
    assert base_name(GPT2, str(tmp_path)) == tmp_path.name
