"""Keeps one visitor from taking the whole machine."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

from assistant import UnanswerableError


class RateLimit:
    """How many questions a visitor may ask within a minute; who asked none lately is forgotten."""

    def __init__(self, questions: int, *, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._questions = questions
        self._seconds = seconds
        self._clock = clock
        self._asked: dict[str, deque[float]] = {}  # visitor -> when, oldest first
        self._lock = threading.Lock()

    def ask(self, visitor: str) -> None:
        """Counts a question.

        Raises:
          UnanswerableError: it is one too many; it does not count then.
        """
        now = self._clock()
        with self._lock:
            self._forget(now - self._seconds)
            asked = self._asked.setdefault(visitor, deque())
            if len(asked) < self._questions:
                asked.append(now)
                return
        wait_seconds = math.ceil(asked[0] + self._seconds - now)
        raise UnanswerableError(
            f"You have asked {self._questions} questions within a minute; this small machine serves everybody. "
            f"Please wait {wait_seconds} seconds, then ask again."
        )

    def _forget(self, before: float) -> None:
        for visitor, asked in list(self._asked.items()):
            while asked and asked[0] <= before:
                asked.popleft()
            if not asked:
                del self._asked[visitor]
