"""A round: one batch of answers, computed together until they end or others shall join them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .answer import Answer
from .line import kind_of
from .model import Model


@dataclass(frozen=True)
class RoundRule:
    """Length that a round has at least. After it, it may be broken off; then its answers' prefixes are read anew.

    Attributes:
      tokens: that its answers get at least.
      share: seconds of answering for each second that was spent on reading the prefixes.
    """

    tokens: int = 4
    share: float = 1.0


@dataclass
class Round:
    """A batch that a lane computes."""

    answers: list[Answer]
    rule: RoundRule
    is_stopping: bool = False
    started: float = field(default_factory=time.monotonic)
    first_token: float | None = None
    steps: int = 0  # tokens of the answer that got most
    tokens_read: int = field(init=False)  # before the first token: as far as the shortest prefix goes

    def __post_init__(self) -> None:
        self.tokens_read = len(self.answers) * min(answer.length for answer in self.answers)

    @property
    def is_seeded(self) -> bool:
        """Returns whether it is one seeded answer, which is never broken off."""
        return self.answers[0].decoding.is_seeded

    def alive(self) -> list[Answer]:
        """Returns the answers that are not over."""
        return [answer for answer in self.answers if not answer.is_over]

    def is_ripe(self, now: float) -> bool:
        """Returns whether it may be broken off: it has answered for long enough, for what its beginning took."""
        if self.is_seeded or self.is_stopping or self.first_token is None or self.steps < self.rule.tokens:
            return False
        return now - self.first_token >= self.rule.share * (self.first_token - self.started)

    def delay_seconds(self) -> float:
        """Returns by how much its answers would come later, all of them together, if it were broken off now: each waits
        until all their prefixes are read anew."""
        if self.first_token is None:
            return math.inf
        seconds_per_token = (self.first_token - self.started) / self.tokens_read
        rest = self.alive()
        return len(rest) * seconds_per_token * sum(answer.length for answer in rest)

    def seconds_left(self, now: float, *, usual_tokens: float) -> float:
        """Returns how long it will probably go on, if it is not broken off.

        Args:
          now: moment of the monotonic clock.
          usual_tokens: of an answer; one that is longer already is expected to have half as many more.
        """
        if self.first_token is None:
            return math.inf
        tokens = max(
            (
                min(answer.remaining, max(usual_tokens - len(answer.tokens), usual_tokens / 2))
                for answer in self.alive()
            ),
            default=0,
        )
        return tokens * (now - self.first_token) / max(1, self.steps - 1)

    def compute(self, model: Model, *, after_token: Callable[[], None]) -> None:
        """Computes the answers until all are over or the round is stopped.

        Args:
          model: which is asked.
          after_token: called with nothing after each token.
        """
        counts = [0] * len(self.answers)
        end_token = model.format.end_token

        def take(row: int, token_id: int, token: str) -> bool:
            self.first_token = self.first_token or time.monotonic()
            counts[row] += 1
            self.steps = max(self.steps, counts[row])
            is_over = self.answers[row].take(token_id, token, end_token=end_token)
            after_token()
            return is_over or self.is_stopping

        for answer in self.answers:
            answer.times.started = answer.times.started or self.started
        if self.is_seeded:
            (answer,) = self.answers
            model.generate_seeded(answer.context(), decoding=answer.decoding, on_token=take)
            return
        model.generate(
            [answer.context() for answer in self.answers],
            max_new_tokens=max(answer.remaining for answer in self.answers),
            decoding=self.answers[0].decoding,
            on_token=take,
        )

    def takes(self, answer: Answer) -> bool:
        """Returns whether an answer could be computed in its batch."""
        return kind_of(answer) == kind_of(self.answers[0])
