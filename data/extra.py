"""Packages of the extra `prepare`, which a bare image lacks."""

from __future__ import annotations

import importlib
from typing import Any

from data.errors import SourceError

EXTRA = "prepare"


def require(module: str, purpose: str) -> Any:
    """Returns a module of the extra.

    Args:
        module: dotted name.
        purpose: what it is needed for, behind "to".

    Raises:
        SourceError: If it is not installed, naming the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SourceError(
            f"To {purpose}, the extra {EXTRA!r} must be installed. Received: {error}. "
            "Run `make setup`, or install gpt2-alpaca-pipeline[prepare]."
        ) from error
