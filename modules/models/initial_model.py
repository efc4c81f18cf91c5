"""The model that training starts from: a KerasHub preset, a Transformers checkpoint, or an earlier revision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modules.models.attention import chosen_attention
from modules.models.family import ModelFamily
from modules.models.model_files import model_folder

if TYPE_CHECKING:
    import keras_hub
    from tokenizers import Tokenizer

    from modules.settings.training import Attention


def load_model(
    family: ModelFamily, preset: str, *, dropout: float, dtype: str, attention: Attention = "auto"
) -> tuple[keras_hub.models.Backbone, Tokenizer]:
    """Returns backbone and tokenizer to start from.

    Args:
        family: of the model.
        preset: a KerasHub preset's name or handle, or a folder: a KerasHub preset, a Transformers checkpoint, or the
            model of an earlier run.
        dropout: share of activations dropped while training, 0 to 1.
        dtype: Keras dtype policy, such as ``mixed_bfloat16``.
        attention: the attention kernel.

    Raises:
        PresetError: If a preset is unknown, or cannot be downloaded.
        CheckpointError: If a folder holds no whole model of the family.
        TokenizerError: If the tokenizer does not fit the model.
    """
    with chosen_attention(attention):
        if "://" not in preset and Path(preset).is_dir():
            folder, saved_as = model_folder(Path(preset))
            if saved_as == "transformers":
                return family.load_transformers(folder, dropout=dropout, dtype=dtype)
            family.read_sizes(folder)
            preset = str(folder)
        return family.load_preset(preset, dropout=dropout, dtype=dtype)
