"""The tokenizer of a training: the initial model's, a given one, or one that is trained on the rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from modules.models.family import ModelFamily
from modules.models.model_files import model_folder

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def initial_tokenizer(
    family: ModelFamily, texts: Iterable[str], *, model: str | None, tokenizer_path: str | None, vocabulary_size: int
) -> Tokenizer:
    """Returns the tokenizer that a training starts with.

    Args:
        family: of the model.
        texts: prompts and responses of the train rows, in any order; read only if a tokenizer is trained on them.
        model: what training starts from, a preset's name or a folder; None for a model from scratch.
        tokenizer_path: folder of the tokenizer for a model from scratch; None to train one.
        vocabulary_size: of one that is trained, in tokens.

    Raises:
        PresetError: If a preset is unknown, or cannot be downloaded.
        CheckpointError: If a folder holds no model.
        TokenizerError: If the tokenizer's files are absent or malformed.
    """
    if model:
        return model_tokenizer(family, model)
    if tokenizer_path:
        return family.load_tokenizer(Path(tokenizer_path))
    return family.train_tokenizer(texts, vocabulary_size=vocabulary_size)


def model_tokenizer(family: ModelFamily, model: str) -> Tokenizer:
    """Returns the tokenizer of a KerasHub preset, or of a folder with one or with a Transformers checkpoint."""
    if "://" not in model and Path(model).is_dir():
        folder, saved_as = model_folder(Path(model))
        if saved_as == "transformers":
            return family.load_tokenizer(folder)
        model = str(folder)
    return family.preset_tokenizer(model)
