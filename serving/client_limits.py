"""Keeps one client from taking the whole machine."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serving.answering.recent import RecentQuestions
from serving.errors import RequestError
from serving.settings import ClientLimits

MINUTE_SECONDS = 60.0


class ClientBook:
    """Counts of what each client has asked lately, and has in the making. Used by the event loop's thread alone."""

    def __init__(self, limits: ClientLimits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        limit = limits.requests_per_minute
        self._recent = RecentQuestions(limit, seconds=MINUTE_SECONDS, clock=clock) if limit is not None else None
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
        seconds = self._recent.count(client) if self._recent else 0
        if seconds:
            raise RequestError(
                429,
                f"One client may ask {self._limits.requests_per_minute} times a minute. Ask again in {seconds} s.",
                code="rate_limit_exceeded",
                retry_after_seconds=seconds,
            )
