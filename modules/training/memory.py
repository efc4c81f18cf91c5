"""Exhausted memory, in words that help."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator

import keras

from modules.training.dataset import PackedBatches


class OutOfMemoryError(RuntimeError):
    """A batch does not fit into the device's memory."""

    user_message = True


@contextlib.contextmanager
def memory_errors(batches: PackedBatches) -> Iterator[None]:
    """Turns the backend's error for exhausted memory into one that says what to lower."""
    try:
        yield
    except _backend_errors() as error:
        if not isinstance(error, MemoryError) and "RESOURCE_EXHAUSTED" not in _describe(error):
            raise
        raise OutOfMemoryError(
            "A batch must fit into the device's memory. "
            f"Received: training.batch_size={batches.batch_size} rows of "
            f"training.sequence_length={batches.sequence_length} tokens; {_describe(error)[:200]}. "
            "Lower training.batch_size and raise training.accumulation_steps by as much, which trains the same; "
            "or lower training.sequence_length, or take training.precision=mixed_bfloat16."
        ) from error


def _backend_errors() -> tuple[type[Exception], ...]:
    if keras.backend.backend() == "tensorflow":
        return MemoryError, importlib.import_module("tensorflow").errors.ResourceExhaustedError
    if keras.backend.backend() == "jax":
        return MemoryError, importlib.import_module("jax").errors.JaxRuntimeError
    return (MemoryError,)


def _describe(error: Exception) -> str:
    name = "RESOURCE_EXHAUSTED: " if type(error).__name__ == "ResourceExhaustedError" else ""
    return name + " ".join(str(error).split())
