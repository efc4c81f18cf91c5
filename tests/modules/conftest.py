"""A tiny GPT-2 with its own tokenizer, made once."""

from __future__ import annotations

import keras
import keras_hub
import pytest
from tokenizers import Tokenizer

from modules.models.gpt2.network import build_backbone
from modules.models.gpt2.tokenizer import train_tokenizer

TEXTS = [
    "### Instruction:\nSort the words.\n\n### Input:\npear, apple\n\n### Response:\n",
    "apple, pear",
    "héllo 🙂 world",
]


@pytest.fixture(scope="module", autouse=True)
def quick_children(forked_children: None) -> None:
    """Processes that tests start have TensorFlow imported."""


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return train_tokenizer(TEXTS * 3, vocabulary_size=300)


def make_backbone(
    tokenizer: Tokenizer, *, dropout: float = 0.0, dtype: str = "float32", factor: float = 20
) -> keras_hub.models.GPT2Backbone:
    """A tiny GPT-2 whose weights are `factor` times GPT-2's initial ones, which give nearly equal logits.

    20 makes every choice clear, but is ill-conditioned: a gradient's last digits grow a thousandfold on their way back.
    """
    keras.utils.set_random_seed(1)
    backbone = build_backbone(
        vocabulary_size=tokenizer.get_vocab_size(),
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=64,
        dropout=dropout,
        max_sequence_length=64,
        dtype=dtype,
    )
    backbone.set_weights([weight * factor for weight in backbone.get_weights()])
    return backbone


@pytest.fixture(scope="session")
def backbone(tokenizer: Tokenizer) -> keras_hub.models.GPT2Backbone:
    return make_backbone(tokenizer)
