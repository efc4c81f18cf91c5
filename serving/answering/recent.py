"""Counts who has asked how often lately."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable


class RecentQuestions:
    """Lets each client ask so many times within some seconds; who asked none lately is forgotten."""

    def __init__(self, limit: int, *, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._asked: dict[str, deque[float]] = {}  # client -> when, oldest first
        self._lock = threading.Lock()

    def count(self, client: str) -> int:
        """Counts a question, and returns 0; one too many does not count: in how many seconds it may be asked."""
        now = self._clock()
        with self._lock:
            self._forget(now - self._seconds)
            asked = self._asked.setdefault(client, deque())
            if len(asked) >= self._limit:
                return max(1, math.ceil(asked[0] + self._seconds - now))
            asked.append(now)
            return 0

    def _forget(self, before: float) -> None:
        for client, asked in list(self._asked.items()):
            while asked and asked[0] <= before:
                asked.popleft()
            if not asked:
                del self._asked[client]
