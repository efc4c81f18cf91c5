"""8-bit weights whose products no processor can saturate, and their place in a CTranslate2 model.

CTranslate2 rounds activations to 8 bits as it goes and multiplies them, unsigned, by signed 8-bit weights. Processors
without VNNI instructions add two such products in 16 bits, where 255 × 127 + 255 × 127 does not fit ("Nuances of int8
computations" in oneDNN's guide); whether a library takes that road depends on the processor. Here no two weights of a
row exceed 128 together, and 255 × 128 fits: the same result everywhere, whichever two are added.
"""

from __future__ import annotations

from typing import Any

import numpy as np

LARGEST = 127  # of one weight's magnitude
LARGEST_PAIR = 128  # of two weights' magnitudes together: 255 × 128 ≤ 2^15 - 1


def quantize_rows(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rounds each row of a matrix to 8 bits by a scale of its own.

    Args:
        weights: float32 [N, K], K at least 2.

    Returns:
        int8 [N, K] and float32 [N]: ``weights`` is about ``rounded / scale[:, None]``.
    """
    second, first = np.partition(np.abs(weights), -2, axis=1)[:, -2:].T.astype(np.float64)
    # A little below the limit, beyond float32's rounding: of two that add up to less, both rounded do not exceed it.
    step = np.maximum(first / LARGEST, (first + second) / (LARGEST_PAIR - 2**-10))
    scale = (1 / np.where(step == 0, 1, np.maximum(step, np.finfo(np.float32).tiny))).astype(np.float32)
    with np.errstate(invalid="ignore"):  # a row with what is no number has a scale that is none, and gives none
        return np.rint(weights * scale[:, None]).astype(np.int8), scale


def quantize_model(spec: Any) -> None:
    """Stores the weights of a ``ctranslate2.specs.ModelSpec`` in 8 bits, those of which it knows a scale."""
    from ctranslate2.specs import model_spec

    def quantize(layer: Any, name: str, value: Any) -> None:
        attribute = name.rpartition("/")[2]
        if isinstance(value, model_spec.Variable) and hasattr(layer, f"{attribute}_scale"):
            rounded, scale = quantize_rows(value.numpy())
            setattr(layer, attribute, model_spec.NumpyVariable(rounded))
            setattr(layer, f"{attribute}_scale", model_spec.NumpyVariable(scale))

    spec.optimize()  # a matrix that stands in two places is stored once
    model_spec.visit_spec(spec, quantize)
