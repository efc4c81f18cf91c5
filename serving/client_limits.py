"""Keeps one client from taking the whole machine."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serving.errors import RequestError
from serving.settings import ClientLimits

MINUTE_SECONDS = 60.0


class ClientBook:
    """Counts of what each client has asked lately, and has in the making. Used by the event loop's thread alone."""

    def __init__(self, limits: ClientLimits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._asked: dict[str, deque[float]] = {}  # client -> when, oldest first
        self._answers: Counter[str] = Counter()

    @contextmanager
    def asking(self, client: str, *, answers: int) -> Iterator[None]:
        """Counts a request while the context lasts.

        Raises:
          RequestError: 429, it is one too many; it does not count then.
        """
        self._check_answers(client, answers)
        self._check_rate(client)
        self._answers[client] += answers
        try:
            yield
        finally:
            self._answers[client] -= answers
            if self._answers[client] <= 0:
                del self._answers[client]

    def _check_answers(self, client: str, answers: int) -> None:
        limit = self._limits.answers_at_once
        if self._answers[client] + answers > limit:
            raise RequestError(
                429,
                f"One client may have {limit} answers in the making. "
                f"Received: {answers} more than {self._answers[client]}. Wait for one to end.",
                code="rate_limit_exceeded",
                retry_after_seconds=1,
            )

    def _check_rate(self, client: str) -> None:
        limit = self._limits.requests_per_minute
        if limit is None:
            return
        now = self._clock()
        self._forget(now - MINUTE_SECONDS)
        asked = self._asked.setdefault(client, deque())
        if len(asked) >= limit:
            seconds = max(1, math.ceil(asked[0] + MINUTE_SECONDS - now))
            raise RequestError(
                429,
                f"One client may ask {limit} times a minute. Ask again in {seconds} s.",
                code="rate_limit_exceeded",
                retry_after_seconds=seconds,
            )
        asked.append(now)

    def _forget(self, before: float) -> None:
        for client, asked in list(self._asked.items()):
            while asked and asked[0] <= before:
                asked.popleft()
            if not asked:
                del self._asked[client]
