"""The serving proof on real exports: whole ones agree, a damaged one is named."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_hub.models import GPT2Backbone
from tokenizers import Tokenizer

from modules.exports import FORMS, ExportForm, TrainedModel
from modules.exports.ctranslate2 import FLOAT32, INT8
from modules.models.gpt2.family import GPT2
from modules.models.gpt2.numpy_gpt2 import Cache
from modules.proving.agreement import FLOAT_TOLERANCE
from modules.proving.answers import Answers
from modules.proving.requests import Requests, make_requests
from pipeline.components.serving_proof.comparison import compare, reasons_in
from pipeline.components.serving_proof.prove import ServingProofError, forms_to_ask, prove
from tests.evaluation.conftest import GENERATION
from tests.evaluation.exporting import asked, export_model
from tests.modules.conftest import make_backbone

pytestmark = pytest.mark.arithmetic

SAMPLES = [{"prompt": "### Instruction:\nSort.\n\n### Response:\n", "response": "?", "expected": "pear <|endoftext|>"}]
INT8_REASON = "ctranslate2 disagrees with transformers on 5 of 5 requests (logits no further off than 2 times what "


@pytest.fixture(scope="module")
def model(small: GPT2Backbone, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model artifact's folder."""
    folder = tmp_path_factory.mktemp("proof")
    export_model(small, tokenizer, folder, GENERATION, FORMS.values())
    (folder / "exports/training.json").write_text(json.dumps({"samples": SAMPLES}))
    return folder


@pytest.fixture(scope="module")
def requests(model: Path) -> Requests:
    return make_requests(model)


@pytest.fixture(scope="module")
def answers(model: Path, requests: Requests) -> dict[str, Answers]:
    """Of every form, in this process."""
    return {form.name: form.ask(model, requests) for form in forms_to_ask(model).values() if form.ask}


@pytest.fixture
def damaged(model: Path, tmp_path: Path) -> Path:
    """A copy of the model artifact that a test may spoil."""
    return Path(shutil.copytree(model, tmp_path / "model"))


def test_requests_are_samples_and_what_breaks_front_ends(requests: Requests, tokenizer: Tokenizer) -> None:
    end = tokenizer.get_vocab_size() - 1
    assert len(requests.prompts) == 5
    assert requests.prompts[0] == SAMPLES[0]["prompt"]
    assert requests.prompts[3] == ""
    assert list(requests.prompt_ids[3]) == [end]
    assert len(requests.prompt_ids[4]) == 64 - 8
    assert list(requests.prompt_ids[4]) == tokenizer.encode(requests.prompts[4]).ids[-(64 - 8) :]
    assert requests.rows == [("Say hello.", "", "pear <|endoftext|>")]


def test_the_reference_is_the_trained_model(model: Path, small: GPT2Backbone) -> None:
    tokens = [1, 5, 9, 250, 3]
    hidden = small({"token_ids": np.array([tokens]), "padding_mask": np.ones((1, 5))})
    expected = np.asarray(small.token_embedding(hidden, reverse=True))[0]
    logits = GPT2.reference_logits(model / "exports/transformers")
    cache: Cache = {}
    pieces = [logits(tokens[:3], cache=cache), logits(tokens[3:], cache=cache)]

    np.testing.assert_allclose(logits(tokens), expected, atol=1e-5)
    np.testing.assert_allclose(np.concatenate(pieces), expected, atol=1e-5)
    np.testing.assert_allclose(logits(tokens, last=1), expected[-1:], atol=1e-5)


def test_every_form_is_asked_in_a_fresh_process_and_agrees(model: Path) -> None:
    report = prove(model, timeout_seconds=300)

    others = ["gguf_float32", "gguf_float16", "gguf", "onnx"]
    assert list(report) == ["saved_model", "keras", "transformers", "ctranslate2_float32", "ctranslate2", *others]
    assert reasons_in(report) == []
    for form in ("saved_model", "keras", "ctranslate2_float32", "gguf_float32", "onnx"):
        assert (report[form]["same_answers"], report[form]["near_ties"]) == (5, 0)
        assert report[form]["largest"] < 1e-4
    rounded = report["ctranslate2"]
    assert 0 < rounded["largest"] < 2 * rounded["rounding"]
    assert rounded["saturation"] is None
    for form in ("gguf_float16", "gguf"):
        # The same weights in the same arithmetic, computed twice.
        assert 0 < report[form]["largest"] == pytest.approx(report[form]["rounding"], rel=0.02)
    assert re.fullmatch(r"int8_float32 by (DNNL|MKL) on (GENERIC|AVX|AVX2|AVX512)", rounded["arithmetic"])
    assert report["ctranslate2_float32"]["arithmetic"].startswith("float32 by ")
    assert report["keras"]["arithmetic"] is None
    assert {result["requests"] for result in report.values()} == {5}


def test_a_form_that_does_not_load_and_one_of_another_model_are_named(damaged: Path, tokenizer: Tokenizer) -> None:
    INT8.write(TrainedModel(make_backbone(tokenizer), tokenizer), damaged / "exports/ctranslate2")
    (damaged / "exports/keras/config.json").unlink()
    reasons = reasons_in(prove(damaged, timeout_seconds=300))

    assert len(reasons) == 2
    assert reasons[0].startswith("keras cannot serve: ")
    assert reasons[1].startswith(INT8_REASON)


def _swap_layers(backbone: GPT2Backbone) -> None:
    first, second = (layer.get_weights() for layer in backbone.transformer_layers)
    for layer, weights in zip(backbone.transformer_layers, (second, first), strict=True):
        layer.set_weights(weights)


def _ask_by_key(backbone: GPT2Backbone) -> None:
    attention = backbone.transformer_layers[1]._self_attention_layer
    attention._query_dense.set_weights(attention._key_dense.get_weights())


def _forget_last_norm(backbone: GPT2Backbone) -> None:
    gamma, beta = backbone.layer_norm.get_weights()
    backbone.layer_norm.set_weights([np.ones_like(gamma), beta])


@pytest.mark.parametrize("damage", [_swap_layers, _ask_by_key, _forget_last_norm])
@pytest.mark.parametrize("form", [INT8, FORMS["gguf"]], ids=lambda form: form.name)
def test_in_8_bits_too_a_wrong_part_is_found(
    form: ExportForm,
    damage: Callable[[GPT2Backbone], None],
    answers: dict[str, Answers],
    requests: Requests,
    small: GPT2Backbone,
    tokenizer: Tokenizer,
    damaged: Path,
) -> None:
    wrong = make_backbone(tokenizer)
    wrong.set_weights(small.get_weights())
    damage(wrong)
    shutil.rmtree(damaged / form.artifact_folder)
    form.write(TrainedModel(wrong, tokenizer), damaged / form.artifact_folder)
    found = answers | {form.name: asked(form, damaged, requests)}

    (reason,) = reasons_in(compare(found, damaged, requests))
    assert reason.startswith(f"{form.name} disagrees with transformers on ")


def test_one_wrong_weight_of_a_float32_form_is_found(
    answers: dict[str, Answers], requests: Requests, small: GPT2Backbone, tokenizer: Tokenizer, damaged: Path
) -> None:
    wrong = make_backbone(tokenizer)
    weights = small.get_weights()
    weights[4].flat[0] += 0.5
    wrong.set_weights(weights)
    FLOAT32.write(TrainedModel(wrong, tokenizer), damaged / "exports/ctranslate2_float32")
    found = answers | {"ctranslate2_float32": asked(FLOAT32, damaged, requests)}

    (reason,) = reasons_in(compare(found, damaged, requests))
    assert "(the same answer, log-probabilities within 0.001 nats; largest difference" in reason


def test_weights_that_are_no_numbers_are_refused_by_the_name_of_the_form(
    answers: dict[str, Answers], requests: Requests, model: Path
) -> None:
    for form in ("keras", "saved_model"):
        broken: dict[str, Any] = {
            name: np.full_like(values, np.nan) if values.dtype == np.float32 else values
            for name, values in answers[form].items()
        }
        assert reasons_in(compare(answers | {form: broken}, model, requests)) == [
            f"{form} cannot serve: its figures are not finite numbers"
        ]


def test_without_a_reference_no_form_is_proven(answers: dict[str, Answers], requests: Requests, model: Path) -> None:
    reports = compare(answers | {"transformers": "OSError: no such file"}, model, requests)

    assert reasons_in(reports)[:2] == [
        "saved_model cannot serve: there is no reference to compare it with: transformers cannot be used",
        "keras cannot serve: there is no reference to compare it with: transformers cannot be used",
    ]
    assert "transformers cannot serve: OSError: no such file" in reasons_in(reports)


def _one_choice(logs: list[float], requests: Requests) -> Answers:
    chosen = int(np.argmax(logs))
    return {"ids": np.array([[chosen]]), "steps": np.array([1]), "logs": np.array([logs], np.float32)}


@pytest.mark.parametrize(
    ("expected", "found", "near_ties", "disagreements"),
    [
        ([-1.0, -1.0005, -9.0], [-1.0005, -1.0, -9.0], 1, 0),  # a tie that falls the other way
        ([-1.0, -1.5, -9.0], [-1.0, -1.5, -9.0005], 0, 0),
        ([-1.0, -1.5, -9.0], [-1.0, -1.5, -9.0020], 0, 1),  # the same answer by other figures
        ([-1.0, -1.5, -9.0], [-1.5, -1.0, -9.0], 0, 1),
        ([-1.0, -1.0005, -9.0], [-1.1, -1.0, -9.0], 1, 1),
    ],
)
def test_another_answer_is_allowed_only_between_equals(
    expected: list[float], found: list[float], near_ties: int, disagreements: int, requests: Requests, model: Path
) -> None:
    one = replace(requests, prompts=["?"], prompt_ids=[[1]], new_tokens=1)
    forms = {"transformers": _one_choice(expected, one), "keras": _one_choice(found, one)}
    report = compare(forms, model, one)["keras"]

    assert (report["near_ties"], len(report["disagreements"])) == (near_ties, disagreements)
    assert FLOAT_TOLERANCE == 1e-3


def test_a_proof_that_takes_too_long_is_an_error(model: Path) -> None:
    with pytest.raises(ServingProofError, match=r"no answer from \w+ after 0 s"):
        prove(model, timeout_seconds=0.2)
