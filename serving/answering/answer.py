"""One answer in the making: written by the scheduler's threads, read by whoever asked."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .prompt import Decoding
from .text import AnswerText

Reason = Literal["stop", "length", "time", "cancelled", "failed"]


@dataclass(frozen=True)
class Piece:
    """An answer's next part."""

    text: str
    token_ids: tuple[int, ...]


@dataclass
class Times:
    """Moments of an answer, in seconds of the monotonic clock."""

    asked: float = field(default_factory=time.monotonic)
    started: float | None = None  # computing began
    first_token: float | None = None
    ended: float | None = None


class Answer:
    """An answer to one prompt.

    Args:
      prompt: its tokens.
      decoding: how it is continued.
      text: turns its tokens into text.
      client: who asked; answers are shared out fairly among clients.
      deadline: moment of the monotonic clock at which it ends, finished or not.
    """

    def __init__(
        self, prompt: Sequence[str], decoding: Decoding, text: AnswerText, *, client: str, deadline: float
    ) -> None:
        self.prompt = tuple(prompt)
        self.decoding = decoding
        self.client = client
        self.deadline = deadline
        self.tokens: list[str] = []
        self.token_ids: list[int] = []
        self.reason: Reason | None = None
        self.error: Exception | None = None
        self.times = Times()
        self.waiting_since = self.times.asked
        self._text = text
        self._unsent: list[int] = []  # tokens whose text is not certain yet
        self._pieces: queue.SimpleQueue[Piece | None] = queue.SimpleQueue()
        self._notify: Callable[[], None] = _nobody
        self._lock = threading.Lock()

    @property
    def length(self) -> int:
        """Returns the tokens of prompt and answer so far."""
        return len(self.prompt) + len(self.tokens)

    @property
    def remaining(self) -> int:
        """Returns the tokens that the answer may still have."""
        return self.decoding.max_new_tokens - len(self.tokens)

    @property
    def is_over(self) -> bool:
        """Returns whether nothing more will come."""
        return self.reason is not None

    def context(self) -> tuple[str, ...]:
        """Returns the tokens from which the answer is continued."""
        return (*self.prompt, *self.tokens)

    def take(self, token_id: int, token: str, *, end_token: str) -> bool:
        """Adds a token; returns whether the answer is over now."""
        if self.is_over:
            return True
        now = time.monotonic()
        self.times.first_token = self.times.first_token or now
        if token == end_token:
            self.end("stop")
            return True
        self.tokens.append(token)
        self.token_ids.append(token_id)
        self._unsent.append(token_id)
        text = self._text.push(token_id)
        if text:
            self._send(text)
        if self._text.is_stopped:
            self.end("stop")
        elif self.remaining <= 0:
            self.end("length")
        elif now > self.deadline:
            self.end("time")
        return self.is_over

    def end(self, reason: Reason, error: Exception | None = None) -> None:
        """Ends the answer, once; what its text still holds back is sent."""
        with self._lock:
            if self.is_over:
                return
            self.reason, self.error = reason, error
            self.times.ended = time.monotonic()
        if reason != "cancelled" and (text := self._text.flush()):
            self._send(text)
        elif self._unsent:
            self._send("")
        self._pieces.put(None)
        self._notify()

    def cancel(self) -> None:
        """Gives the answer up: its computing stops with its next token."""
        self.end("cancelled")

    def on_change(self, notify: Callable[[], None]) -> None:
        """Has `notify` called whenever there is something to read, from another thread."""
        self._notify = notify
        notify()

    def ready(self) -> Iterator[Piece | None]:
        """Yields what can be read without waiting; None is the end."""
        while True:
            try:
                yield self._pieces.get_nowait()
            except queue.Empty:
                return

    def pieces(self) -> Iterator[Piece]:
        """Yields the answer as it comes, waiting for it, until it ends."""
        while (piece := self._pieces.get()) is not None:
            yield piece

    def _send(self, text: str) -> None:
        ids, self._unsent = tuple(self._unsent), []
        self._pieces.put(Piece(text, ids))
        self._notify()


def _nobody() -> None:
    """Tells nobody."""
