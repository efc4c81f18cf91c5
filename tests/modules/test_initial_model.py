from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_hub
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from modules.exports import TrainedModel
from modules.exports.keras_preset import KERAS
from modules.exports.transformers import TRANSFORMERS
from modules.models.gpt2.family import GPT2
from modules.models.gpt2.tokenizer import end_token_id
from modules.models.initial_model import load_model
from modules.models.model_files import CheckpointError, TokenizerError, model_folder, tensors
from modules.models.presets import PresetError
from modules.settings.generation import GenerationSettings
from tests.modules.conftest import make_backbone

pytestmark = pytest.mark.arithmetic

GENERATION = GenerationSettings(max_new_tokens=4)
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def checkpoint(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("transformers")
    TRANSFORMERS.write(TrainedModel(make_backbone(tokenizer), tokenizer, GENERATION), folder)
    return folder


@pytest.fixture
def copy(checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint, tmp_path / "copy"))


def load(folder: Path) -> tuple[keras_hub.models.GPT2Backbone, Tokenizer]:
    return load_model(GPT2, str(folder), dropout=0.25, dtype="float32")


def assert_same_weights(
    one: keras_hub.models.GPT2Backbone, other: keras_hub.models.GPT2Backbone, *, rtol: float = 0
) -> None:
    for weight, same in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(weight, same, rtol=rtol, atol=0)


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None], name: str = "config.json") -> None:
    content = json.loads((folder / name).read_text(encoding="utf-8"))
    change(content)
    (folder / name).write_text(json.dumps(content), encoding="utf-8")


def resave(folder: Path, change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]) -> None:
    arrays = change(load_file(folder / WEIGHTS))
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / WEIGHTS)


# ------------------------------------------------------------------------------------- What can be started from


def test_a_transformers_checkpoint_gives_its_model_and_tokenizer(checkpoint: Path, tokenizer: Tokenizer) -> None:
    backbone, loaded = load(checkpoint)
    assert backbone.dropout == 0.25
    assert loaded.encode("pear, apple").ids == tokenizer.encode("pear, apple").ids
    assert_same_weights(backbone, make_backbone(tokenizer))


def test_it_may_come_in_shards_and_without_the_transformers_prefix(copy: Path, tokenizer: Tokenizer) -> None:
    arrays = {name.removeprefix("transformer."): array for name, array in load_file(copy / WEIGHTS).items()}
    (copy / WEIGHTS).unlink()
    names = sorted(arrays)
    index = {}
    for number, part in enumerate((names[:9], names[9:]), start=1):
        file = f"model-0000{number}-of-00002.safetensors"
        save_file({name: arrays[name] for name in part}, copy / file)
        index |= dict.fromkeys(part, file)
    (copy / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}), encoding="utf-8")
    assert_same_weights(load(copy)[0], make_backbone(tokenizer))


@pytest.mark.parametrize(("dtype", "rounding"), [(np.float16, 2**-10), (ml_dtypes.bfloat16, 2**-7)])
def test_half_precision_is_read(copy: Path, tokenizer: Tokenizer, dtype: Any, rounding: float) -> None:
    name = {np.float16: "F16", ml_dtypes.bfloat16: "BF16"}[dtype]
    header, data = {}, b""
    for key, array in load_file(copy / WEIGHTS).items():
        raw = array.astype(dtype).tobytes()
        header[key] = {"dtype": name, "shape": array.shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    (copy / WEIGHTS).write_bytes(len(text).to_bytes(8, "little") + text + data)
    backbone, expected = load(copy)[0], make_backbone(tokenizer)
    for weight, same in zip(backbone.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(weight, same, rtol=rounding, atol=1e-6)


def test_a_tokenizer_may_be_one_file(copy: Path, tokenizer: Tokenizer) -> None:
    (copy / "vocab.json").unlink()
    (copy / "merges.txt").unlink()
    text = "Sort pear, apple 🙂"
    assert load(copy)[1].encode(text).ids == tokenizer.encode(text).ids


def test_rows_that_fill_up_the_embedding_are_left_out(copy: Path, tokenizer: Tokenizer) -> None:
    rows = tokenizer.get_vocab_size()

    def fill_up(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        name = "transformer.wte.weight"
        return arrays | {name: np.concatenate([arrays[name], np.ones((84, 16), np.float32)])}

    resave(copy, fill_up)
    rewrite(copy, lambda config: config.update(vocab_size=rows + 84))
    backbone, _ = load(copy)
    assert backbone.vocabulary_size == rows
    assert_same_weights(backbone, make_backbone(tokenizer))


def test_an_earlier_runs_model_folder_is_an_initial_model(tokenizer: Tokenizer, tmp_path: Path) -> None:
    backbone = make_backbone(tokenizer)
    KERAS.write(TrainedModel(backbone, tokenizer), tmp_path / "exports" / "keras")
    assert model_folder(tmp_path) == (tmp_path / "exports" / "keras", "keras")
    assert_same_weights(load(tmp_path)[0], backbone)


def test_the_four_sizes_of_gpt2_are_presets_of_kerashub() -> None:
    assert set(GPT2.presets) == set(keras_hub.models.GPT2Backbone.presets)


# ------------------------------------------------------------------------------------------------- Refusals


def test_pickles_are_refused_with_the_way_out(copy: Path) -> None:
    (copy / WEIGHTS).rename(copy / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"safetensors only.* with pytorch_model\.bin.*save_pretrained"):
        load(copy)


def test_other_shapes_name_the_layers_and_both_shapes(copy: Path) -> None:
    rewrite(copy, lambda config: config.update(n_embd=32, n_inner=64))
    with pytest.raises(CheckpointError) as raised:
        load(copy)
    assert "wpe.weight: file (64, 16), configuration (64, 32)" in str(raised.value)
    assert "h.0.attn.c_attn.weight: file (16, 48), configuration (32, 96)" in str(raised.value)
    assert "and 21 more" in str(raised.value)


def test_more_or_fewer_blocks_are_told(copy: Path) -> None:
    rewrite(copy, lambda config: config.update(n_layer=1))
    with pytest.raises(CheckpointError, match=r"blocks: file 2, configuration 1"):
        load(copy)
    rewrite(copy, lambda config: config.update(n_layer=3))
    with pytest.raises(CheckpointError, match=r"h\.2\.attn\.c_attn\.weight \(16, 48\).* and 7 more"):
        load(copy)


def test_a_preset_of_another_shape_names_the_layer_and_both_shapes(tokenizer: Tokenizer, tmp_path: Path) -> None:
    KERAS.write(TrainedModel(make_backbone(tokenizer), tokenizer), tmp_path)
    rewrite(tmp_path, lambda config: config["config"].update(intermediate_dim=128))
    with pytest.raises(PresetError, match=r"(?s)feedforward_intermediate.*\(16, 128\).*\(16, 64\)"):
        load(tmp_path)


def test_another_network_is_refused(copy: Path) -> None:
    for field, value in (("activation_function", "relu"), ("tie_word_embeddings", False), ("model_type", "llama")):
        kept = (copy / "config.json").read_text(encoding="utf-8")
        rewrite(copy, lambda config, field=field, value=value: config.update({field: value}))  # type: ignore[misc]
        with pytest.raises(CheckpointError, match=rf"with {field} = .* Received: {value}"):
            load(copy)
        (copy / "config.json").write_text(kept, encoding="utf-8")


def test_a_cut_file_is_named(copy: Path) -> None:
    whole = (copy / WEIGHTS).read_bytes()
    for size in (4, 100, len(whole) - 1):
        (copy / WEIGHTS).write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match=rf"as long as its header says.* of {size} bytes"):
            tensors(copy)


def test_a_folder_without_a_model_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(CheckpointError, match=r"has a config\.json\. Received: .* \(notes\.txt\)"):
        load(tmp_path)


def test_a_larger_tokenizer_names_the_ids_without_a_row(copy: Path, tokenizer: Tokenizer) -> None:
    rows = tokenizer.get_vocab_size()
    rewrite(copy, lambda vocabulary: vocabulary.update(zz=rows, zzz=rows + 1), "vocab.json")
    expected = rf"a tokenizer of {rows + 2} tokens, an embedding of {rows} rows; without: 'zz' = {rows}, 'zzz'"
    with pytest.raises(TokenizerError, match=expected):
        load(copy)


def test_a_tokenizer_without_the_end_token_or_of_another_model_is_refused(copy: Path, tokenizer: Tokenizer) -> None:
    rows = tokenizer.get_vocab_size()
    assert end_token_id(tokenizer) == rows - 1
    rewrite(copy, lambda vocabulary: vocabulary.pop("<|endoftext|>"), "vocab.json")
    with pytest.raises(TokenizerError, match=rf"a tokenizer of {rows - 1} tokens, .* and no such token"):
        load(copy)
    (copy / "vocab.json").write_text(json.dumps({"a": 0, "<|endoftext|>": 1}), encoding="utf-8")
    with pytest.raises(TokenizerError, match=rf"tokenizer of 2 tokens, an embedding of {rows} rows\. Name its own"):
        load(copy)
