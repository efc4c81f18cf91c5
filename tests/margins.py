"""Records how much of each tolerance is used: a pytest plugin of :mod:`tests.arithmetic`.

    MARGINS_FILE=margins.jsonl python -m pytest -p tests.margins …

writes a line per comparison: the test's file and line, and the share of its tolerance that the difference took.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PROJECT = Path(__file__).parents[1]
_assert_allclose = np.testing.assert_allclose
_APPROX = type(pytest.approx(1.0))
_equals = _APPROX.__eq__


def pytest_configure() -> None:
    """Has both ways of comparing with a tolerance tell what they find."""
    np.testing.assert_allclose = assert_allclose
    _APPROX.__eq__ = equals


def assert_allclose(actual: Any, desired: Any, rtol: float = 1e-7, atol: float = 0, *args: Any, **kwargs: Any) -> None:
    """Compares as NumPy does, and records the largest share of the tolerance."""
    found, expected = np.asarray(actual, np.float64), np.asarray(desired, np.float64)
    allowed = atol + rtol * np.abs(expected)
    difference = np.abs(found - expected)
    shares = np.divide(difference, allowed, out=np.where(difference > 0, np.inf, 0.0), where=allowed > 0)
    _record(float(shares.max(initial=0)))
    _assert_allclose(actual, desired, rtol, atol, *args, **kwargs)


def equals(self: Any, actual: Any) -> bool:
    """Compares as pytest does, and records the share of the tolerance."""
    if isinstance(actual, float | np.floating) and self.tolerance > 0:
        _record(abs(float(actual) - float(self.expected)) / self.tolerance)
    return bool(_equals(self, actual))


def _record(share: float) -> None:
    frame = sys._getframe()
    while frame.f_back and (frame.f_code.co_filename == __file__ or "test" not in Path(frame.f_code.co_filename).name):
        frame = frame.f_back
    place = os.path.relpath(frame.f_code.co_filename, PROJECT)
    with Path(os.environ["MARGINS_FILE"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps([f"{place}:{frame.f_lineno}", share]) + "\n")
