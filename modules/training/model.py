"""The model that a training starts with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from modules.models.attention import chosen_attention
from modules.models.families import find_family
from modules.models.family import Sizes
from modules.models.initial_model import load_model
from modules.models.initial_tokenizer import initial_tokenizer
from modules.models.lora import adapt
from modules.settings.model import ModelSettings
from modules.settings.training import TrainingSettings

if TYPE_CHECKING:
    from keras_hub.models import Backbone
    from tokenizers import Tokenizer


def make_model(
    model: ModelSettings, training: TrainingSettings, *, texts: Sequence[str], initial_model: str | None = None
) -> tuple[Backbone, Tokenizer]:
    """Returns what training starts with, with adapters if they are asked for.

    Args:
        model: what to start from, or sizes for a model from scratch.
        training: precision, attention and adapters.
        texts: prompts and responses that a tokenizer may be trained on, for a model from scratch.
        initial_model: folder of the model to start from in place of ``model.preset``.
    """
    if place := initial_model or model.preset:
        family = find_family(model.family)
        backbone, tokenizer = load_model(
            family, place, attention=training.attention, dropout=model.dropout, dtype=training.precision
        )
    else:
        backbone, tokenizer = new_model(model, training, texts=texts)
    adapt(backbone, training)
    return backbone, tokenizer


def new_model(model: ModelSettings, training: TrainingSettings, *, texts: Sequence[str]) -> tuple[Backbone, Tokenizer]:
    """Returns a model from scratch, and a tokenizer that is given or trained on `texts`."""
    family = find_family(model.family)
    tokenizer = initial_tokenizer(
        family, texts, model=None, tokenizer_path=model.tokenizer_path, vocabulary_size=model.vocabulary_size
    )
    with chosen_attention(training.attention):
        sizes = Sizes(
            vocabulary_size=tokenizer.get_vocab_size(),
            num_layers=model.num_layers,
            num_heads=model.num_heads,
            hidden_dim=model.hidden_dim,
            intermediate_dim=model.intermediate_dim,
            max_sequence_length=model.max_sequence_length,
        )
        backbone = family.build(sizes, dropout=model.dropout, dtype=training.precision)
    family.draw_weights(backbone)
    return backbone, tokenizer
