"""One request's answers: read by the event loop, given up when the client has gone, counted and logged at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, suppress
from typing import Any

from fastapi import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from serving.answering.answer import Answer, Piece
from serving.answering.model import Model, TokenScore
from serving.errors import RequestError
from serving.logs import log
from serving.metrics import Metrics

SCORED_AT_ONCE = 16  # tokens of a stream whose log-probabilities are wanted: each time, all before them are read again
STREAM_GRACE_SECONDS = 30.0  # that a client has to read what is left, after its answer's time is over


class Asking:
    """The answers to one request, in the order of its choices. Close it, whatever happens.

    Args:
      answers: of the scheduler.
      cuts: tokens that were left out of each one's prompt.
      model: which answers.
      metrics: where they are counted.
      stack: closed with it.
      client: who asked.
      route: where.
      fingerprint: of the revision that answers.
    """

    def __init__(
        self,
        answers: Sequence[Answer],
        cuts: Sequence[int],
        model: Model,
        metrics: Metrics,
        stack: ExitStack,
        *,
        client: str,
        route: str,
        fingerprint: str,
    ) -> None:
        self.answers = list(answers)
        self.cuts = list(cuts)
        self.model = model
        self.fingerprint = fingerprint
        self.created = int(time.time())
        self._metrics = metrics
        self._stack = stack
        self._client = client
        self._route = route
        self._is_closed = False
        self._scored = [0] * len(self.answers)

    async def events(self) -> AsyncIterator[tuple[int, Piece | None]]:
        """Yields the number of a choice with its next piece, or with None at its end; ends with the last choice."""
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()

        def notify() -> None:
            with suppress(RuntimeError):  # the server has ended, and nobody reads any more
                loop.call_soon_threadsafe(arrived.set)

        for answer in self.answers:
            answer.on_change(notify)
        ended = 0
        while ended < len(self.answers):
            await arrived.wait()
            arrived.clear()
            for number, answer in enumerate(self.answers):
                for piece in answer.ready():
                    ended += piece is None
                    yield number, piece

    async def scored_events(self, top: int | None) -> AsyncIterator[tuple[int, Piece | None, list[TokenScore]]]:
        """Yields the same with the scores of each piece's tokens, a few tokens at a time; none if `top` is None."""
        held: dict[int, list[Piece]] = {}
        async for number, piece in self.events():
            if top is None:
                yield number, piece, []
                continue
            pieces = held.setdefault(number, [])
            if piece is not None:
                pieces.append(piece)
            ids = tuple(token_id for each in pieces for token_id in each.token_ids)
            if ids and (piece is None or len(ids) >= SCORED_AT_ONCE):
                scores = await self._score_next(number, len(ids), top)
                yield number, Piece("".join(each.text for each in pieces), ids), scores
                held[number] = []
            if piece is None:
                yield number, None, []

    async def texts(self, request: Request) -> list[str]:
        """Waits for all answers and returns their texts.

        Raises:
          RequestError: 500, the model failed; 499, the client has gone, and nobody will read it.
        """
        gathering = asyncio.ensure_future(self._gather())
        leaving = asyncio.ensure_future(has_gone(request.receive))
        try:
            await asyncio.wait({gathering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not gathering.done():
                raise RequestError(499, "The client has gone.")
            texts = gathering.result()
        finally:
            await _stop(gathering, leaving)
        self.check()
        return texts

    def check(self) -> None:
        """Refuses answers of which one failed, or never had its turn.

        Raises:
          RequestError: 500 or 503.
        """
        if any(answer.reason == "failed" for answer in self.answers):
            raise RequestError(500, "Sorry, the model could not answer. Please ask again.")
        if any(answer.reason == "time" and not answer.tokens for answer in self.answers):
            raise RequestError(503, "The question waited too long for its turn. Ask again.", retry_after_seconds=5)

    async def scores(self, number: int, top: int | None) -> list[TokenScore]:
        """Returns the scores of a choice's tokens, of a whole answer; none if `top` is None."""
        count = len(self.answers[number].tokens)
        return [] if top is None or not count else await self._score_next(number, count, top)

    def warnings(self) -> list[str]:
        """Returns what a client must know about its answers, in sentences."""
        found = [warning for number in range(len(self.answers)) for warning in self.warnings_of(number)]
        return list(dict.fromkeys(found))

    def warnings_of(self, number: int) -> list[str]:
        """Returns what a client must know about one answer."""
        cut, found = self.cuts[number], []
        if cut:
            found.append(f"The prompt was too long: its first {cut} tokens were left out.")
        if self.answers[number].reason == "time" and self.answers[number].tokens:
            found.append("The answer took too long and was cut.")
        return found

    def close(self) -> None:
        """Gives up what is not over, and counts and logs all."""
        if self._is_closed:
            return
        self._is_closed = True
        for answer, cut in zip(self.answers, self.cuts, strict=True):
            answer.cancel()
            self._metrics.count(answer, cut=cut)
            self._log(answer, cut)
        self._stack.close()

    async def _gather(self) -> list[str]:
        texts = [""] * len(self.answers)
        async for number, piece in self.events():
            if piece is not None:
                texts[number] += piece.text
        return texts

    async def _score_next(self, number: int, count: int, top: int) -> list[TokenScore]:
        answer, done = self.answers[number], self._scored[number]
        tokens = (*answer.prompt, *answer.tokens[: done + count])
        self._scored[number] += count
        return await asyncio.to_thread(self.model.scores, tokens, first=len(answer.prompt) + done, top=top)

    def _log(self, answer: Answer, cut: int) -> None:
        times = answer.times
        log(
            "answer",
            route=self._route,
            client=self._client,
            revision=self.fingerprint,
            reason=answer.reason,
            prompt_tokens=len(answer.prompt),
            cut_tokens=cut,
            answer_tokens=len(answer.tokens),
            queue_seconds=_since(times.asked, times.started),
            first_token_seconds=_since(times.asked, times.first_token),
            seconds=_since(times.asked, times.ended),
        )


class AnswerStream(StreamingResponse):
    """Server-sent events of an :class:`Asking`, which is closed with the last one, or when the client has gone."""

    def __init__(self, asking: Asking, events: AsyncIterator[str], *, seconds: float) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
        self._asking = asking
        self._seconds = seconds + STREAM_GRACE_SECONDS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the events; a client that has not read them in time is left."""
        sending = asyncio.ensure_future(self.stream_response(send))
        leaving = asyncio.ensure_future(has_gone(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED, timeout=self._seconds)
            if sending.done() and not leaving.done():
                sending.result()
        finally:
            await _stop(sending, leaving)
            self._asking.close()


async def has_gone(receive: Receive) -> None:
    """Waits until the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stop(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _since(begin: float, end: float | None) -> float | None:
    return None if end is None else round(end - begin, 4)
