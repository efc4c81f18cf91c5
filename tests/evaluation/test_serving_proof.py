"""The serving proof on real exports: whole ones agree, a damaged one is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from keras_hub.models import GPT2Backbone
from tokenizers import Tokenizer

from modules.export import export_ctranslate2
from pipeline.components.serving_proof.executor import ServingProofError, reasons_in, run_proof
from pipeline.components.serving_proof.gpt2 import load_logits
from pipeline.components.serving_proof.prove import CHECKS, prove
from tests.modules.conftest import make_backbone

FORMS = ["transformers", *CHECKS]


@pytest.fixture
def model(model_folder: Path, tmp_path: Path) -> Path:
    """A copy of the model artifact that a test may spoil."""
    shutil.copytree(model_folder, tmp_path / "model")
    samples = {"samples": [{"prompt": "### Instruction:\nSort.\n\n### Response:\n"}]}
    (tmp_path / "model/exports/training.json").write_text(json.dumps(samples))
    return tmp_path / "model"


def test_the_reference_is_the_trained_model(model: Path, backbone: GPT2Backbone) -> None:
    tokens = np.array([[1, 5, 9, 250, 3]])
    hidden = backbone({"token_ids": tokens, "padding_mask": np.ones_like(tokens)})
    expected = np.asarray(backbone.token_embedding(hidden, reverse=True))[0]

    np.testing.assert_allclose(load_logits(model / "exports/transformers")(tokens[0].tolist()), expected, atol=1e-3)


def test_the_exports_of_one_model_agree_in_a_fresh_process(
    model: Path, backbone: GPT2Backbone, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    # In float32: with random weights this large and narrow, int8 really does choose differently.
    shutil.rmtree(model / "exports/ctranslate2")
    export_ctranslate2(backbone, tokenizer, model / "exports/ctranslate2", quantization=None)
    run_proof(model, tmp_path / "report.json", timeout_seconds=300)
    report = json.loads((tmp_path / "report.json").read_text())

    assert list(report) == FORMS
    assert report["ctranslate2"]["largest"] < 1e-3
    assert reasons_in(report) == [], report["ctranslate2"]
    assert {result["requests"] for result in report.values()} == {5}


def test_an_export_of_another_model_and_one_that_does_not_load_are_named(model: Path, tokenizer: Tokenizer) -> None:
    other = make_backbone(tokenizer)
    other.set_weights([-weight for weight in other.get_weights()])
    shutil.rmtree(model / "exports/ctranslate2")
    export_ctranslate2(other, tokenizer, model / "exports/ctranslate2")
    (model / "exports/keras/config.json").unlink()
    reasons = reasons_in(prove(model))

    assert len(reasons) == 2
    assert reasons[0].startswith("keras cannot be loaded: ")
    assert reasons[1] == (
        "ctranslate2 disagrees with the reference on 5 of 5 requests (choices within 1.0 of the logits' spread)"
    )


def test_a_process_that_ends_without_a_report_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ServingProofError, match="must load in a fresh process"):
        run_proof(tmp_path / "nothing", tmp_path / "report.json", timeout_seconds=60)
