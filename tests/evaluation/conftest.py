"""A tiny GPT-2 with its own tokenizer, saved as the Trainer saves it."""

from __future__ import annotations

from pathlib import Path

import pytest
from keras_hub.models import GPT2Backbone
from tokenizers import Tokenizer

from modules.models.gpt2.tokenizer import train_tokenizer
from modules.serving.generation import TextGenerator
from modules.serving.signatures import ServingModule
from modules.settings.generation import GenerationSettings
from tests.evaluation.exporting import export_model
from tests.modules.conftest import TEXTS, make_backbone

GENERATION = GenerationSettings(max_new_tokens=8)


@pytest.fixture(scope="module", autouse=True)
def quick_children(forked_children: None) -> None:
    """Processes that tests start have TensorFlow imported."""


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return train_tokenizer(TEXTS * 3, vocabulary_size=300)


@pytest.fixture(scope="session")
def backbone(tokenizer: Tokenizer) -> GPT2Backbone:
    return make_backbone(tokenizer)


@pytest.fixture(scope="module")
def small(tokenizer: Tokenizer) -> GPT2Backbone:
    """A model whose choices are clear and whose weights are of a trained one's size.

    Its logits are a few times their rounding errors and more, so that int8 can round them.
    """
    backbone = make_backbone(tokenizer)
    backbone.set_weights([weight / 4 for weight in backbone.get_weights()])
    return backbone


@pytest.fixture(scope="session")
def serving(backbone: GPT2Backbone, tokenizer: Tokenizer) -> ServingModule:
    return ServingModule(TextGenerator(backbone, tokenizer), GENERATION)


@pytest.fixture(scope="session")
def model_folder(backbone: GPT2Backbone, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model artifact's folder, without training.json."""
    folder = tmp_path_factory.mktemp("model")
    export_model(backbone, tokenizer, folder, GENERATION)
    return folder
