"""Weight matrices as functions: however one is stored, it looks up rows and multiplies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Matrix(Protocol):
    """A weight matrix [N, K], however it is stored."""

    def rows(self, indices: Sequence[int]) -> np.ndarray:
        """Returns float32 [len(indices), K]."""

    def product(self, x: np.ndarray) -> np.ndarray:
        """Returns float32 [T, K] times the matrix' transpose: [T, N]."""


@dataclass(frozen=True)
class FloatMatrix:
    """A matrix in float32."""

    weight: np.ndarray

    def rows(self, indices: Sequence[int]) -> np.ndarray:
        """Returns float32 [len(indices), K]."""
        return self.weight[list(indices)]

    def product(self, x: np.ndarray) -> np.ndarray:
        """Returns float32 [T, K] times the matrix' transpose: [T, N]."""
        product: np.ndarray = x @ self.weight.T
        return product
