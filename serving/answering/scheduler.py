"""Computes many answers at once.

CTranslate2 computes a batch from its beginning to its end; nothing can join it on the way. So a batch that others shall
join is broken off after some tokens, and goes on from its prefixes together with them: it is computed in rounds. As
many rounds as there are lanes are computed side by side. A new question takes a free lane at once; where there is none,
the round whose answers lose least by it is broken off: once it has answered for as long as its rule says, and if those
who wait gain more than it loses.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from .answer import Answer
from .errors import ClosedError, TooManyWaitingError
from .line import BatchRule, Line
from .model import Model
from .prompt import Decoding
from .rounds import Round, RoundRule
from .text import AnswerText

LATELY = 16  # answers
LOOK_SECONDS = 0.25  # between looks for answers that have waited too long
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """Limits of a scheduler.

    Attributes:
      lanes: batches that are computed at the same time.
      waiting: answers that wait for their turn, at most.
      answer_seconds: from the question to the end of an answer, which is cut there.
      gather_seconds: that a free lane waits for questions which come at the same time.
      batch: of a batch.
      round: of a round.
    """

    lanes: int = 2
    waiting: int = 128
    answer_seconds: float = 120.0
    gather_seconds: float = 0.005
    batch: BatchRule = field(default_factory=BatchRule)
    round: RoundRule = field(default_factory=RoundRule)


class Scheduler:
    """Shares one model out among all who ask. Close it when it is no longer needed.

    Args:
      model: which is asked.
      limits: of this scheduler.
    """

    def __init__(self, model: Model, limits: Limits = Limits()) -> None:
        self.model = model
        self.limits = limits
        self._line = Line()
        self._rounds: list[Round] = []
        self._is_closed = False
        self._seconds_per_answer = 1.0  # lately
        self._usual_tokens = math.inf  # of an answer, lately; unknown before the first has ended
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._serve_lane, name=f"answers-{number}", daemon=True)
            for number in range(limits.lanes)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Answers that wait for their turn."""
        return len(self._line)

    @property
    def running(self) -> int:
        """Answers that are being computed."""
        with self._changed:
            return sum(len(each.alive()) for each in self._rounds)

    def ask(self, prompts: Sequence[tuple[Sequence[str], Decoding]], *, client: str = "") -> list[Answer]:
        """Puts questions into the line, all or none.

        Args:
          prompts: tokens and decoding of each.
          client: who asks.

        Raises:
          TooManyWaitingError: there is no room for so many.
          ClosedError: the scheduler takes no more.
        """
        deadline = time.monotonic() + self.limits.answer_seconds
        answers = [
            Answer(tokens, decoding, AnswerText(self.model.tokenizer, decoding.stop), client=client, deadline=deadline)
            for tokens, decoding in prompts
        ]
        with self._changed:
            if self._is_closed:
                raise ClosedError("The model takes no more questions. Please ask again in a moment.")
            self._check_room(len(answers))
            self._line.add(answers)
            self._break_off_if_needed()
            self._changed.notify_all()
        return answers

    def close(self) -> None:
        """Takes no more questions, waits for the answers in the making, and ends. The model stays open."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _check_room(self, count: int) -> None:
        free_lanes = self.limits.lanes - len(self._rounds)
        if self.waiting + count <= self.limits.waiting + free_lanes * self.limits.batch.rows:
            return
        rounds_ahead = math.ceil(self.waiting / (self.limits.lanes * self.limits.batch.rows))
        seconds = math.ceil(min(max(1.0, self._seconds_per_answer * rounds_ahead), self.limits.answer_seconds))
        raise TooManyWaitingError(
            f"At most {self.limits.waiting} answers may wait. Received: {count} more than the {self.waiting} that do. "
            f"Ask again in {seconds} s.",
            retry_after_seconds=seconds,
        )

    def _serve_lane(self) -> None:
        """Computes one round after another, until the scheduler is closed and nobody waits."""
        while (current := self._next_round()) is not None:
            error: Exception | None = None
            try:
                current.compute(self.model, after_token=self._break_off_if_others_wait)
            except Exception as raised:
                logger.exception("The model failed")
                error = raised
            with self._changed:
                self._end_round(current, error)
                self._changed.notify_all()

    def _next_round(self) -> Round | None:
        """Waits for questions and returns the next round; None at the end."""
        with self._changed:
            while True:
                self._drop_what_is_over()
                batch = self._take_batch()
                if batch:
                    chosen = Round(batch, self.limits.round)
                    self._rounds.append(chosen)
                    return chosen
                if self._is_closed and not len(self._line):
                    return None
                self._changed.wait(LOOK_SECONDS)

    def _take_batch(self) -> list[Answer]:
        if not len(self._line):
            return []
        newest = max(answer.waiting_since for answer in self._line)
        pause = newest + self.limits.gather_seconds - time.monotonic()
        if pause > 0:
            self._changed.wait(pause)
        running = Counter(answer.client for each in self._rounds for answer in each.alive())
        return self._line.take_batch(self.limits.batch, running=running, may_seed=self._may_seed())

    def _may_seed(self) -> bool:
        """Returns whether a seeded answer may begin: it is not broken off, so one lane is kept for all others."""
        return sum(each.is_seeded for each in self._rounds) < max(1, self.limits.lanes - 1)

    def _end_round(self, ended: Round, error: Exception | None) -> None:
        self._rounds.remove(ended)
        rest = ended.alive()
        now = time.monotonic()
        if error is not None or not ended.is_stopping:
            for answer in rest:  # a round that was not broken off has no rest, unless it failed
                answer.end("failed", error)
            rest = []
        for answer in rest:
            answer.waiting_since = now
        self._line.add(rest)
        for answer in ended.answers:
            if answer.times.ended is not None:
                seconds = answer.times.ended - answer.times.asked
                self._seconds_per_answer += (seconds - self._seconds_per_answer) / LATELY
                known = self._usual_tokens if self._usual_tokens < math.inf else len(answer.tokens)
                self._usual_tokens = known + (len(answer.tokens) - known) / LATELY

    def _break_off_if_others_wait(self) -> None:
        """Called after each token: the line is looked at without the lock, which is taken only if somebody waits."""
        if len(self._line):
            with self._changed:
                self._break_off_if_needed()

    def _break_off_if_needed(self) -> None:
        """Breaks off one round, where somebody waits, no lane is free, and a round is ripe."""
        may_seed = self._may_seed()
        waiting = [answer for answer in self._line if may_seed or not answer.decoding.is_seeded]
        if not waiting or len(self._rounds) < self.limits.lanes or any(each.is_stopping for each in self._rounds):
            return
        now = time.monotonic()
        ripe = [each for each in self._rounds if each.is_ripe(now) and len(each.alive()) < self.limits.batch.rows]
        # All who wait gain the time until a lane is free by itself; those who are broken off lose what reading takes.
        until_free = min(each.seconds_left(now, usual_tokens=self._usual_tokens) for each in self._rounds)
        worth = [each for each in ripe if each.delay_seconds() <= len(waiting) * until_free]
        if worth:
            first = min(waiting, key=lambda answer: answer.waiting_since)
            chosen = min(worth, key=lambda each: (not each.takes(first), each.delay_seconds()))
            chosen.is_stopping = True

    def _drop_what_is_over(self) -> None:
        now = time.monotonic()
        for answer in self._line.drop(lambda each: each.is_over or now > each.deadline):
            answer.end("time")
