"""The state of a model and its optimizer that a checkpoint must hold; any Keras backend.

That is everything that training changes: trainable weights, the optimizer's variables (moments, accumulated gradients,
its step, from which the schedule follows, a loss scale), and the states of the random generators behind dropout.
Weights that are frozen follow from the settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import ml_dtypes
import numpy as np

WEIGHTS, OPTIMIZER, RANDOM, BEST = "weights", "optimizer", "random", "best"
RANDOM_STATE = "seed_generator_state"  # how Keras ends the path of such a variable
SHOWN = 5  # differing arrays in an error


class CheckpointMismatchError(ValueError):
    """A checkpoint holds arrays of other shapes than the model's."""

    user_message = True


def synchronise(model: keras.Model) -> None:
    """Brings the variables up to date in the middle of ``fit``: on JAX they live elsewhere meanwhile."""
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()


def capture(model: keras.Model) -> dict[str, np.ndarray]:
    """Returns copies of the state of a compiled model with a built optimizer, by group, number and path."""
    return {
        name: _copy(variable)
        for group, variables in _groups(model).items()
        for name, variable in _arrays_by_name(group, variables).items()
    }


def capture_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """Returns the trainable weights alone, named as the best ones of a run."""
    return {name: _copy(variable) for name, variable in _arrays_by_name(BEST, model.trainable_variables).items()}


def restore(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Puts what :func:`capture` gave into a model of the same make.

    Raises:
        CheckpointMismatchError: If the shapes differ; the model is left as it was.
    """
    for group, variables in _groups(model).items():
        _check(group, variables, arrays)
    for group, variables in _groups(model).items():
        _assign(group, variables, arrays)


def restore_weights(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Puts what :func:`capture_weights` gave into a model of the same make.

    Raises:
        CheckpointMismatchError: If the shapes differ; the model is left as it was.
    """
    _check(BEST, model.trainable_variables, arrays)
    _assign(BEST, model.trainable_variables, arrays)


def is_finite(arrays: Mapping[str, np.ndarray]) -> bool:
    """Returns whether all trainable weights are numbers."""
    # A sum is as good a sign as every element, and makes no array of them.
    return all(np.isfinite(array.sum(dtype=np.float64)) for array in _arrays_of_group(WEIGHTS, arrays))


def _copy(variable: Any) -> np.ndarray:
    # By way of a tensor: several devices' variable has one, but is no array.
    return np.array(keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(variable.value)))


def _groups(model: keras.Model) -> dict[str, list[Any]]:
    random = [variable for variable in model.non_trainable_variables if variable.path.endswith(RANDOM_STATE)]
    return {WEIGHTS: model.trainable_variables, OPTIMIZER: model.optimizer.variables, RANDOM: random}


def _arrays_by_name(group: str, variables: list[Any]) -> dict[str, Any]:
    # The number tells them apart: Keras gives a second model of a process other paths, in the same order.
    return {f"{group}/{index:05d}/{variable.path}": variable for index, variable in enumerate(variables)}


def _arrays_of_group(group: str, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    return [arrays[name] for name in sorted(arrays) if name.startswith(f"{group}/")]


def _check(group: str, variables: list[Any], arrays: Mapping[str, np.ndarray]) -> None:
    held = _arrays_of_group(group, arrays)
    if len(held) != len(variables):
        raise CheckpointMismatchError(
            f"A checkpoint must hold as many arrays of {group} as the model has. "
            f"Received: {len(held)}, the model has {len(variables)}. "
            "It was made with other layers or another optimizer: remove it, or restore its settings."
        )
    differing = [
        f"{variable.path}: checkpoint {tuple(array.shape)}, model {tuple(variable.shape)}"
        for variable, array in zip(variables, held, strict=True)
        if tuple(array.shape) != tuple(variable.shape)
    ]
    if differing:
        more = f" and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
        raise CheckpointMismatchError(
            f"A checkpoint must have the model's shapes. Received: {'; '.join(differing[:SHOWN])}{more}. "
            "It was made with other sizes: remove it, or restore its settings."
        )


def _assign(group: str, variables: list[Any], arrays: Mapping[str, np.ndarray]) -> None:
    for variable, array in zip(variables, _arrays_of_group(group, arrays), strict=True):
        # NumPy's files know bfloat16 only as two bytes.
        variable.assign(array.view(ml_dtypes.bfloat16) if array.dtype.kind == "V" else array)
