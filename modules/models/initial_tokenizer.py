"""Which tokenizer a training will use: the initial model's, a given one, or one that is trained on the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from modules.models.gpt2.checkpoint import model_folder
from modules.models.gpt2.tokenizer import from_keras, load_tokenizer, train_tokenizer

if TYPE_CHECKING:
    from keras_hub.models import GPT2Tokenizer
    from tokenizers import Tokenizer

Loaded = TypeVar("Loaded")


class PresetError(RuntimeError):
    """A KerasHub preset could not be read or downloaded."""

    user_message = True


def initial_tokenizer(
    texts: Iterable[str], *, model: str | None, tokenizer_path: str | None, vocabulary_size: int
) -> Tokenizer:
    """Returns the tokenizer that a training starts with.

    Args:
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
        return model_tokenizer(model)
    if tokenizer_path:
        return load_tokenizer(Path(tokenizer_path))
    return train_tokenizer(texts, vocabulary_size=vocabulary_size)


def model_tokenizer(model: str) -> Tokenizer:
    """Returns the tokenizer of a KerasHub preset, or of a folder with one or with a Transformers checkpoint."""
    if "://" not in model and Path(model).is_dir():
        folder, form = model_folder(Path(model))
        if form == "transformers":
            return load_tokenizer(folder)
        model = str(folder)
    return from_keras(preset_tokenizer(model))


def preset_tokenizer(preset: str) -> GPT2Tokenizer:
    """Returns KerasHub's tokenizer of a preset; of one that is not here, only its tokenizer is downloaded."""
    import keras_hub

    return load_from_preset(preset, keras_hub.models.GPT2Tokenizer.from_preset)


def load_from_preset(preset: str, load: Callable[[str], Loaded]) -> Loaded:
    """Returns what `load` makes of a KerasHub preset.

    Raises:
        PresetError: If it is unknown, damaged, or the download fails.
    """
    try:
        return load(preset)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise PresetError(
            f"The preset could not be loaded. Received: model.preset={preset!r}; {type(error).__name__}: {error}. "
            "Name a GPT-2 preset of KerasHub that can be downloaded from here, or a folder that holds one."
        ) from error
