"""The distance from the model that a rounded form may have: what rounding alone does to it, computed and not guessed.

The reference goes, with weights rounded as the form's are, through exact arithmetic (:mod:`modules.proving.int8`,
:mod:`modules.proving.stored_weights`), which gives a distance from the reference; the form's answers may be twice as
far. A model that learnt nothing, whose logits are as small as its rounding errors, is judged by its own
measure, and a form whose products saturated is far outside of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from modules.models.families import find_family
from modules.models.matrix import Matrix
from modules.proving.answers import Logits
from modules.proving.int8 import (
    LARGEST_PAIR,
    exact_products,
    generator_logits,
    saturated_products,
    unsafe_rows,
)
from modules.proving.requests import Requests

# Whatever library multiplies, it rounds the same weights and, but for float32's last digits, the same activations: 0.98
# to 1.08 of the computed distance was measured over libraries, instruction sets and threads (docs/evaluation.md). Where
# those digits make later roundings fall otherwise, the two errors are at worst independent; neither is twice the other.
ROUNDINGS = 2.0
WORDS = f"logits no further off than {ROUNDINGS:g} times what rounding to 8 bits does"
STORED_WORDS = f"logits no further off than {ROUNDINGS:g} times what rounding its weights does"

Logs = Sequence[np.ndarray]  # float32 [V] of each step: log-probabilities, or logits


class RoundedForm:
    """Judges the answers of a form with rounded weights, one request after another, and remembers what it found.

    Args:
        checkpoint: folder of the Transformers checkpoint, the reference.
        requests: what was asked.
        reference_ids: int32 [requests, new tokens], the reference's answers.
        matrix: rounds a weight matrix, float32 [N, K], as the form does.
    """

    def __init__(
        self, checkpoint: Path, requests: Requests, reference_ids: np.ndarray, *, matrix: Callable[[np.ndarray], Matrix]
    ) -> None:
        self._requests = requests
        self._reference_ids = reference_ids
        self._rounded = find_family(requests.family).reference_logits(checkpoint, matrix=matrix)
        self._roundings: list[float] = []
        self._wrong: dict[int, Logs] = {}  # request → what was found

    def judge(self, expected: Logs, found: Logs, index: int) -> tuple[bool, float]:
        """Returns whether the steps found of a request are near enough, and their distance from the expected ones."""
        rounding = logits_distance(expected, self._replay(self._rounded, index, len(expected)))
        distance = logits_distance(expected, found)
        self._roundings.append(rounding)
        agrees = distance <= ROUNDINGS * rounding
        if not agrees:
            self._wrong[index] = found
        return agrees, distance

    @property
    def rounding(self) -> float:
        """Returns the largest distance that rounding alone gave."""
        return max(self._roundings)

    def saturation(self, folder: Path) -> str | None:
        """Returns what is wrong with the weights of an 8-bit CTranslate2 generator in a folder; None if nothing is."""
        unsafe, rows = unsafe_rows(folder)
        if not unsafe:
            return None
        return (
            f"has weights whose products saturate on processors without VNNI instructions{self._note(folder)}: "
            f"no two of a row may exceed {LARGEST_PAIR} together. Received: larger ones in {unsafe} of {rows} rows. "
            "Export the model again."
        )

    def _note(self, folder: Path) -> str:
        """Returns the words for answers of saturated products, judged by the shortest wrong request; "" for others."""
        if not self._wrong:
            return ""
        index = min(self._wrong, key=lambda wrong: len(self._requests.prompt_ids[wrong]))
        found, family = self._wrong[index], find_family(self._requests.family)
        from_exact, from_saturated = (
            logits_distance(self._replay(generator_logits(family, folder, multiply=way), index, len(found)), found)
            for way in (exact_products, saturated_products)
        )
        return ", as they did here" if from_saturated < from_exact else ""

    def _replay(self, logits: Logits, index: int, steps: int) -> Logs:
        """Logits of the request's first steps, after the tokens that the reference chose."""
        chosen = self._reference_ids[index][: steps - 1].tolist()
        return list(logits([*self._requests.prompt_ids[index], *chosen], last=steps))


def logits_distance(expected: Logs, found: Logs) -> float:
    """Returns the distance of logits, less their mean at each step, as a share of the expected ones' size."""
    centred, other = (_centred(logs) for logs in (expected, found))
    return float(np.linalg.norm(other - centred) / (np.linalg.norm(centred) or 1.0))


def _centred(logs: Logs) -> np.ndarray:
    values = np.stack(logs).astype(np.float64)
    centred: np.ndarray = values - values.mean(-1, keepdims=True)
    return centred
