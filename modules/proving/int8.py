"""CTranslate2's 8-bit arithmetic in NumPy: what rounding alone does to a model, and what saturated products would.

Weights have a scale per row of the stored matrix, activations one per token, taken when they are multiplied; products
are summed exactly, all else is float32 (CTranslate2's ``docs/quantization.md`` and ``src/cpu/kernels.cc``).

A matrix library multiplies unsigned by signed bytes. Processors without VNNI instructions add such products in pairs
in 16 bits (``vpmaddubsw``), which saturate: oneDNN's guide "Nuances of int8 computations". Which two are a pair is the
library's affair, so weights are safe only if no two of a row could exceed 16 bits together.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modules.models.family import ModelFamily
from modules.proving.answers import Logits

SHIFT = 128  # what makes an activation unsigned
LARGEST = np.iinfo(np.int8).max
LARGEST_PAIR = np.iinfo(np.int16).max // np.iinfo(np.uint8).max  # 128, of two weights' magnitudes together
FORMAT_VERSION = 6
DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32}  # of CTranslate2's file, by its numbers

# uint8 [T, K] as float32, int8 [N, K] → float32 [T, N]; exact as far as float32 goes, or as a library would
Multiply = Callable[[np.ndarray, np.ndarray], np.ndarray]


def exact_products(activations: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the sums of products; below 2^24 float32 is exact, above it is to a share of 1e-7."""
    products: np.ndarray = activations @ weights.astype(np.float32).T
    return products


def saturated_products(activations: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the same sums with neighbouring products added in 16 bits; a step per pair, so for a few tokens only."""
    total = np.zeros((len(activations), len(weights)), np.float32)
    limits = np.iinfo(np.int16)
    for place in range(0, activations.shape[1], 2):
        pair = activations[:, place : place + 2] @ weights[:, place : place + 2].astype(np.float32).T
        total += np.clip(pair, limits.min, limits.max)
    return total


@dataclass(frozen=True)
class Int8Matrix:
    """A matrix rounded to 8 bits by row, which multiplies activations rounded by token.

    Attributes:
        weight: int8 [N, K].
        scale: float32 [N]; the matrix is about ``weight / scale[:, None]``.
        multiply: how products are made.
    """

    weight: np.ndarray
    scale: np.ndarray
    multiply: Multiply = exact_products

    def rows(self, indices: Sequence[int]) -> np.ndarray:
        """Returns float32 [len(indices), K]."""
        return self.weight[list(indices)] / self.scale[list(indices), None]

    def product(self, x: np.ndarray) -> np.ndarray:
        """Returns float32 [T, K] times the matrix' transpose: [T, N]."""
        largest = np.abs(x).max(-1, keepdims=True)
        scale = np.float32(127) / np.where(largest == 0, np.float32(127), largest)  # [T, 1]
        unsigned = np.rint(x * scale + np.float32(SHIFT))
        products = self.multiply(unsigned, self.weight)
        products = products - SHIFT * self.weight.sum(-1, dtype=np.int32).astype(np.float32)
        product: np.ndarray = products / (scale * self.scale)
        return product


def rounded(weights: np.ndarray) -> Int8Matrix:
    """Rounds a matrix, float32 [N, K], as finely as the largest pair of each row allows."""
    second, first = np.partition(np.abs(weights), -2, axis=1)[:, -2:].T
    step = np.maximum(first / LARGEST, (first + second) / LARGEST_PAIR)  # [N]
    scale = 1 / np.where(step == 0, np.float32(1), step)
    return Int8Matrix(np.rint(weights * scale[:, None]).astype(np.int8), scale)


def generator_logits(family: ModelFamily, folder: Path, *, multiply: Multiply = exact_products) -> Logits:
    """Returns an 8-bit CTranslate2 generator as a function.

    Args:
        family: of the model.
        folder: with ``model.bin``.
        multiply: how products are made.
    """
    weights = read_weights(folder)

    def matrix(name: str) -> Int8Matrix:
        return Int8Matrix(weights[f"{name}/weight"], weights[f"{name}/weight_scale"], multiply)

    return family.generator_logits(weights, matrix=matrix)


def unsafe_rows(folder: Path) -> tuple[int, int]:
    """Counts the rows of 8-bit weights of which two could saturate together, and all rows.

    Args:
        folder: with ``model.bin``.
    """
    matrices = [weight for weight in read_weights(folder).values() if weight.dtype == np.int8 and weight.ndim == 2]
    pairs = [np.partition(np.abs(matrix.astype(np.int16)), -2, axis=1)[:, -2:].sum(axis=1) for matrix in matrices]
    largest = np.concatenate(pairs)
    return int(np.count_nonzero(largest > LARGEST_PAIR)), len(largest)


def read_weights(folder: Path) -> dict[str, np.ndarray]:
    """Reads the variables of a CTranslate2 model by name, aliases resolved (``specs/model_spec.py``, version 6).

    Args:
        folder: with ``model.bin``.

    Raises:
        ValueError: If the file is of another version of the format.
    """
    file = _Reader((folder / "model.bin").read_bytes())
    version = file.number("I")
    if version != FORMAT_VERSION:
        raise ValueError(f"model.bin must have version {FORMAT_VERSION} of CTranslate2's format. Received: {version}.")
    file.text()  # the kind of model
    file.number("I")  # its revision
    weights = {file.text(): file.array() for _ in range(file.number("I"))}
    aliases = {file.text(): file.text() for _ in range(file.number("I"))}
    aliases |= {f"{alias}_scale": f"{name}_scale" for alias, name in aliases.items() if f"{name}_scale" in weights}
    return weights | {alias: weights[name] for alias, name in aliases.items()}


class _Reader:
    """Takes the parts of CTranslate2's file one after another."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def number(self, code: str) -> int:
        (value,) = struct.unpack_from(f"<{code}", self._content, self._at)
        self._at += struct.calcsize(code)
        return int(value)

    def text(self) -> str:
        return self._take(self.number("H"))[:-1].decode()  # ends in a zero byte

    def array(self) -> np.ndarray:
        shape = [self.number("I") for _ in range(self.number("B"))]
        dtype = DTYPES[self.number("B")]
        return np.frombuffer(self._take(self.number("I")), dtype).reshape(shape)

    def _take(self, size: int) -> bytes:
        self._at += size
        return self._content[self._at - size : self._at]
