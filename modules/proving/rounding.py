"""The distance from the model that an 8-bit form may have: what rounding alone does to it, computed and not guessed.

The reference goes, with rounded weights, through exact 8-bit arithmetic
(:mod:`modules.proving.int8`), which gives a distance from the reference; the form's answers may be
twice as far. A model that learnt nothing, whose logits are as small as its rounding errors, is judged by its own
measure, and a form whose products saturated is far outside of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modules.models.families import find_family
from modules.proving.answers import Logits
from modules.proving.int8 import (
    LARGEST_PAIR,
    exact_products,
    generator_logits,
    rounded,
    saturated_products,
    unsafe_rows,
)
from modules.proving.requests import Requests

# Whatever library multiplies, it rounds the same weights and, but for float32's last digits, the same activations: 0.98
# to 1.08 of the computed distance was measured over libraries, instruction sets and threads (docs/evaluation.md). Where
# those digits make later roundings fall otherwise, the two errors are at worst independent; neither is twice the other.
ROUNDINGS = 2.0
WORDS = f"logits no further off than {ROUNDINGS:g} times what rounding to 8 bits does"

Logs = Sequence[np.ndarray]  # float32 [V] of each step: log-probabilities, or logits


class RoundedForm:
    """Judges an 8-bit generator's answers, one request after another, and remembers what it found.

    Args:
        folder: the generator's.
        checkpoint: folder of the Transformers checkpoint, the reference.
        requests: what was asked.
        reference_ids: int32 [requests, new tokens], the reference's answers.
    """

    def __init__(self, folder: Path, checkpoint: Path, requests: Requests, reference_ids: np.ndarray) -> None:
        self._folder = folder
        self._requests = requests
        self._reference_ids = reference_ids
        self._family = find_family(requests.family)
        self._rounded = self._family.reference_logits(checkpoint, matrix=rounded)
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

    def report(self) -> dict[str, Any]:
        """Returns ``rounding``, the largest distance of exact arithmetic, and ``saturation``, a reason or None."""
        return {"rounding": max(self._roundings), "saturation": self._saturation()}

    def _saturation(self) -> str | None:
        unsafe, rows = unsafe_rows(self._folder)
        if not unsafe:
            return None
        return (
            f"has weights whose products saturate on processors without VNNI instructions{self._saturation_note()}: "
            f"no two of a row may exceed {LARGEST_PAIR} together. Received: larger ones in {unsafe} of {rows} rows. "
            "Export the model again."
        )

    def _saturation_note(self) -> str:
        """Returns the words for answers of saturated products, judged by the shortest wrong request; "" for others."""
        if not self._wrong:
            return ""
        index = min(self._wrong, key=lambda wrong: len(self._requests.prompt_ids[wrong]))
        found = self._wrong[index]
        from_exact, from_saturated = (
            logits_distance(
                self._replay(generator_logits(self._family, self._folder, multiply=way), index, len(found)), found
            )
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
