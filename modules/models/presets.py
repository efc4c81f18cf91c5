"""KerasHub's presets, and what may go wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Loaded = TypeVar("Loaded")


class PresetError(RuntimeError):
    """A KerasHub preset could not be read or downloaded."""

    user_message = True


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
