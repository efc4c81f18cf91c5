"""A tiny GPT-2 with its own tokenizer, made once."""

from __future__ import annotations

import keras
import keras_hub
import pytest
from tokenizers import Tokenizer

from modules.network.model import build_backbone
from modules.text.tokenizer import train_tokenizer

TEXTS = [
    "### Instruction:\nSort the words.\n\n### Input:\npear, apple\n\n### Response:\n",
    "apple, pear",
    "héllo 🙂 world",
]


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return train_tokenizer(TEXTS * 3, vocabulary_size=300)


def make_backbone(tokenizer: Tokenizer, *, dropout: float = 0.0) -> keras_hub.models.GPT2Backbone:
    keras.utils.set_random_seed(1)
    backbone = build_backbone(
        vocabulary_size=tokenizer.get_vocab_size(),
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=64,
        dropout=dropout,
        max_sequence_length=64,
        dtype="float32",
    )
    # GPT-2's initial weights give nearly equal logits; larger ones make every choice clear.
    backbone.set_weights([weight * 20 for weight in backbone.get_weights()])
    return backbone


@pytest.fixture(scope="session")
def backbone(tokenizer: Tokenizer) -> keras_hub.models.GPT2Backbone:
    return make_backbone(tokenizer)
