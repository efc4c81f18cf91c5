"""Weights as GGUF files store them, rounded and given back, in NumPy: shares no code with what writes the files.

Source: ``ggml-quants.c`` of https://github.com/ggml-org/ggml, ``quantize_row_q8_0_ref``.
"""

from __future__ import annotations

import numpy as np

from modules.models.matrix import FloatMatrix

BLOCK = 32  # weights of a row that share a scale
LARGEST = 127


def rounded_to_float16(weights: np.ndarray) -> FloatMatrix:
    """Rounds a matrix, float32 [N, K], to float16."""
    return FloatMatrix(weights.astype(np.float16).astype(np.float32))


def rounded_to_q8_0(weights: np.ndarray) -> FloatMatrix:
    """Rounds a matrix, float32 [N, K], to 8 bits with a float16 scale per 32 weights; to float16 where K is no multiple
    of that."""
    if weights.shape[1] % BLOCK:
        return rounded_to_float16(weights)
    blocks = weights.reshape(len(weights), -1, BLOCK)
    scale = np.abs(blocks).max(-1, keepdims=True) / np.float32(LARGEST)
    with np.errstate(invalid="ignore"):  # a block with what is no number has a scale that is none, and gives none
        rounded = np.rint(blocks / np.where(scale == 0, np.float32(1), scale))
        return FloatMatrix((rounded * scale.astype(np.float16).astype(np.float32)).reshape(weights.shape))
