"""These tests need JAX beside the rest: `make test-jax`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from modules.exports import TrainedModel
from modules.exports.keras_preset import KERAS
from modules.training.task import TrainingTask
from tests.jax.tasks import TEXTS, make_task
from tests.modules.conftest import make_backbone


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here) and not find_spec("jax"):
            item.add_marker(pytest.mark.skip(reason="needs JAX: make test-jax"))


@pytest.fixture(scope="session")
def jax_tokenizer() -> Tokenizer:
    from modules.models.gpt2.tokenizer import train_tokenizer

    return train_tokenizer(TEXTS, vocabulary_size=300)


@pytest.fixture(scope="session")
def preset(jax_tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Initial weights, the same for every backend."""
    folder = tmp_path_factory.mktemp("initial") / "preset"
    backbone = make_backbone(jax_tokenizer)
    backbone.set_weights([weight / 20 for weight in backbone.get_weights()])  # no magnified rounding
    KERAS.write(TrainedModel(backbone, jax_tokenizer), folder)
    return folder


@pytest.fixture
def task(preset: Path, tmp_path: Path) -> TrainingTask:
    return make_task(preset, tmp_path)
