"""Keeps one visitor from taking the whole machine."""

from __future__ import annotations

import time
from collections.abc import Callable

from answering.recent import RecentQuestions
from assistant import UnanswerableError


class RateLimit(RecentQuestions):
    """How many questions a visitor may ask within a minute."""

    def __init__(self, questions: int, *, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._questions = questions
        super().__init__(questions, seconds=seconds, clock=clock)

    def ask(self, visitor: str) -> None:
        """Counts a question.

        Raises:
          UnanswerableError: it is one too many; it does not count then.
        """
        wait_seconds = self.count(visitor)
        if wait_seconds:
            raise UnanswerableError(
                f"You have asked {self._questions} questions within a minute; this small machine serves everybody. "
                f"Please wait {wait_seconds} seconds, then ask again."
            )
