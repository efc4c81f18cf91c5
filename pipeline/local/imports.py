"""Importing TensorFlow, Beam and TFX, which is what a user waits for first."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heavy_imports() -> Iterator[None]:
    """Pauses the garbage collector, and afterwards exempts what was imported from it.

    The imports make some million objects and no garbage; looking for some among them takes a fifth of the
    import time (7.6 s instead of 9 s on two cores), and time again at every full collection later.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()
