from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import ctranslate2
import keras_hub
import numpy as np
import onnxruntime
import pytest
from keras_hub.models import GPT2Backbone
from safetensors.numpy import load_file
from tensorflow.core.protobuf import saved_model_pb2
from tokenizers import Tokenizer

from modules.exports import FORMS, TrainedModel
from modules.exports.ctranslate2 import INT8
from modules.exports.saved_model import SAVED_MODEL
from modules.exports.writing import write_forms, write_prompt_spec
from modules.models import onnx_file
from modules.prompts import ALPACA
from modules.serving.generation import TextGenerator
from modules.serving.signatures import ServingModule, save_serving_model
from modules.settings.generation import GenerationSettings

pytestmark = pytest.mark.arithmetic

DEFAULTS = GenerationSettings(max_new_tokens=8)
PROMPTS = ["pear", "Sort the words.\n\n### Input:\napple", "🙂 héllo", ""]

# Runs with TensorFlow and TensorFlow Text alone: every other package of the project is out of reach.
SERVE_ALONE = """
import json, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {'keras_hub', 'keras_nlp', 'tokenizers', 'tfx', 'modules', 'pipeline'}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import tensorflow as tf
import tensorflow_text
folder, prompts = sys.argv[1], json.loads(sys.argv[2])
model = tf.saved_model.load(folder)
answers = model.serve(tf.constant(prompts))['response'].numpy()
full = model.signatures['with_options'](
    prompt=tf.constant(prompts), max_new_tokens=tf.constant(8), temperature=tf.constant(0.0),
    top_k=tf.constant(0), top_p=tf.constant(1.0), seed=tf.constant(0))['response'].numpy()
plain = model.signatures['serving_default'](prompt=tf.constant(prompts))['response'].numpy()
assert answers.tolist() == full.tolist() == plain.tolist()
print(json.dumps([answer.hex() for answer in answers]))
"""


@pytest.fixture(scope="module")
def module(backbone: GPT2Backbone, tokenizer: Tokenizer) -> ServingModule:
    return ServingModule(TextGenerator(backbone, tokenizer), DEFAULTS)


@pytest.fixture(scope="module")
def saved(module: ServingModule, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serving") / "Format-Serving"
    save_serving_model(module, folder)
    return folder


@pytest.fixture(scope="module")
def exports(backbone: GPT2Backbone, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    model = TrainedModel(backbone, tokenizer, DEFAULTS)
    write_forms(model, folder, [form for form in FORMS.values() if form is not SAVED_MODEL])
    write_prompt_spec(model, folder)
    return folder / "exports"


def test_the_saved_model_answers_as_in_the_trainer_with_tensorflow_alone(module: ServingModule, saved: Path) -> None:
    import tensorflow as tf

    expected = module.serve(tf.constant(PROMPTS))["response"].numpy()
    done = subprocess.run(
        [sys.executable, "-c", SERVE_ALONE, str(saved), json.dumps(PROMPTS)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [answer.hex() for answer in expected]


def test_the_saved_model_declares_inputs_defaults_and_output(saved: Path) -> None:
    graph = saved_model_pb2.SavedModel.FromString((saved / "saved_model.pb").read_bytes()).meta_graphs[0]
    options = {"max_new_tokens", "temperature", "top_k", "top_p", "seed"}
    declared = {name: (set(made.inputs), set(made.defaults)) for name, made in graph.signature_def.items()}
    assert declared == {
        "serving_default": ({"prompt"}, set()),
        "instruct": ({"instruction", "input"}, set()),
        "with_options": ({"prompt"} | options, options),
        "instruct_with_options": ({"instruction", "input"} | options, options),
        "score": ({"instruction", "input", "output"}, set()),
        "__saved_model_init_op": (set(), set()),
    }
    assert set(graph.signature_def["with_options"].outputs) == {"response"}


def test_the_saved_model_holds_the_weights_once_and_no_optimizer(saved: Path, backbone: GPT2Backbone) -> None:
    size = sum(path.stat().st_size for path in (saved / "variables").iterdir())
    assert 4 * backbone.count_params() <= size < 4 * backbone.count_params() + 40_000


def test_the_forms_hold_exactly_these_files(exports: Path) -> None:
    files = {str(path.relative_to(exports)) for path in exports.rglob("*") if path.is_file()}
    assert files == {
        "prompt.json",
        "ctranslate2/config.json",
        "ctranslate2/model.bin",
        "ctranslate2/vocabulary.json",
        "ctranslate2_float32/config.json",
        "ctranslate2_float32/model.bin",
        "ctranslate2_float32/vocabulary.json",
        "gguf/Modelfile",
        "gguf/model-Q8_0.gguf",
        "gguf_float16/Modelfile",
        "gguf_float16/model-F16.gguf",
        "gguf_float32/Modelfile",
        "gguf_float32/model-F32.gguf",
        "keras/assets/tokenizer/merges.txt",
        "keras/assets/tokenizer/vocabulary.json",
        "keras/config.json",
        "keras/metadata.json",
        "keras/model.weights.h5",
        "keras/preprocessor.json",
        "keras/task.json",
        "keras/tokenizer.json",
        "onnx/model.onnx",
        "transformers/config.json",
        "transformers/generation_config.json",
        "transformers/merges.txt",
        "transformers/model.safetensors",
        "transformers/special_tokens_map.json",
        "transformers/tokenizer.json",
        "transformers/tokenizer_config.json",
        "transformers/vocab.json",
    }


def logits(backbone: GPT2Backbone, ids: np.ndarray) -> np.ndarray:
    hidden = backbone({"token_ids": ids, "padding_mask": np.ones_like(ids)})
    return np.asarray(backbone.token_embedding(hidden, reverse=True))


def test_the_keras_preset_loads_with_equal_logits(exports: Path, backbone: GPT2Backbone, tokenizer: Tokenizer) -> None:
    loaded = keras_hub.models.GPT2CausalLM.from_preset(str(exports / "keras"))
    ids = np.array([tokenizer.encode(PROMPTS[1]).ids])
    np.testing.assert_allclose(logits(loaded.backbone, ids), logits(backbone, ids), rtol=1e-5, atol=1e-5)
    assert loaded.preprocessor.tokenizer.vocabulary_size() == tokenizer.get_vocab_size()


def test_the_transformers_form_loads_in_kerashub_with_equal_logits(
    exports: Path, backbone: GPT2Backbone, tokenizer: Tokenizer
) -> None:
    loaded = keras_hub.models.GPT2Backbone.from_preset(str(exports / "transformers"))
    ids = np.array([tokenizer.encode(PROMPTS[1]).ids])
    np.testing.assert_allclose(logits(loaded, ids), logits(backbone, ids), rtol=1e-5, atol=1e-5)


def test_the_transformers_form_names_this_vocabularys_end_token(exports: Path, tokenizer: Tokenizer) -> None:
    config = json.loads((exports / "transformers" / "config.json").read_text())
    end = tokenizer.get_vocab_size() - 1
    assert [config[name] for name in ("bos_token_id", "eos_token_id")] == [end, end]
    assert config["architectures"] == ["GPT2LMHeadModel"]
    weights = load_file(exports / "transformers" / "model.safetensors")
    assert weights["transformer.wte.weight"].shape == (tokenizer.get_vocab_size(), 16)


def test_ctranslate2_in_float32_gives_equal_logits(exports: Path, backbone: GPT2Backbone, tokenizer: Tokenizer) -> None:
    generator = ctranslate2.Generator(str(exports / "ctranslate2_float32"))
    encoding = tokenizer.encode(PROMPTS[1])
    expected = logits(backbone, np.array([encoding.ids]))
    np.testing.assert_allclose(np.array(generator.forward_batch([encoding.tokens])), expected, rtol=1e-3, atol=1e-3)


def test_ctranslate2_in_int8_is_smaller_and_answers(exports: Path, tokenizer: Tokenizer) -> None:
    generator = ctranslate2.Generator(str(exports / "ctranslate2"))
    (result,) = generator.generate_batch([tokenizer.encode("pear").tokens], max_length=4, sampling_topk=1)
    assert 1 <= len(result.sequences_ids[0]) <= 8
    sizes = [(exports / name).stat().st_size for name in ("ctranslate2/model.bin", "transformers/model.safetensors")]
    assert sizes[0] < sizes[1] / 2


def test_onnx_gives_equal_logits_for_rows_of_any_length(
    exports: Path, backbone: GPT2Backbone, tokenizer: Tokenizer
) -> None:
    session = onnxruntime.InferenceSession(exports / "onnx" / "model.onnx")
    inputs = {value.name: (value.type, value.shape) for value in session.get_inputs()}
    assert inputs == dict.fromkeys(("padding_mask", "token_ids"), ("tensor(int32)", ["batch", "tokens"]))
    for length in (1, 7, 64):
        ids = np.random.default_rng(length).integers(0, tokenizer.get_vocab_size(), (2, length), dtype=np.int32)
        mask = np.ones_like(ids)
        mask[1, (length + 1) // 2 :] = 0
        (found,) = session.run(["logits"], {"token_ids": ids, "padding_mask": mask})
        hidden = backbone({"token_ids": ids, "padding_mask": mask})
        expected = np.asarray(backbone.token_embedding(hidden, reverse=True))
        seen = mask.astype(bool)
        np.testing.assert_allclose(found[seen], expected[seen], rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("level", ["1", None])
def test_the_onnx_exporter_silences_nothing(level: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if level is None:
        monkeypatch.delenv(onnx_file.LOG_LEVEL, raising=False)
    else:
        monkeypatch.setenv(onnx_file.LOG_LEVEL, level)
    monkeypatch.delitem(sys.modules, "tf2onnx.convert", raising=False)
    onnx_file._import_exporter()

    assert "tf2onnx.convert" in sys.modules
    assert os.environ.get(onnx_file.LOG_LEVEL) == level


def test_prompt_json_tells_front_ends_how_to_ask(exports: Path, tokenizer: Tokenizer) -> None:
    spec = json.loads((exports / "prompt.json").read_text(encoding="utf-8"))
    end = tokenizer.get_vocab_size() - 1
    assert spec == ALPACA.spec(kind="instructions") | {
        "end_token_id": end,
        "context_length": 64,
        "generation": {"max_new_tokens": 8, "temperature": 0.0, "top_k": 0, "top_p": 1.0},
        "examples": [],
    }


def test_a_vocabulary_of_another_size_is_refused(backbone: GPT2Backbone, tmp_path: Path) -> None:
    from modules.models.gpt2.tokenizer import train_tokenizer

    other = train_tokenizer(["a b c"], vocabulary_size=257)
    with pytest.raises(ValueError, match="Received: 257 tokens, embedding of"):
        INT8.write(TrainedModel(backbone, other), tmp_path / "ct2")
