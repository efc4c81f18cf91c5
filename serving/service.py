"""The model that is served now, with its scheduler, and everything that requests share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from serving.answering.answer import Answer
from serving.answering.errors import ClosedError, TooManyWaitingError
from serving.answering.model import Encoded, Model
from serving.answering.prompt import Decoding
from serving.answering.scheduler import Scheduler
from serving.asking import Asking
from serving.client_limits import ClientBook
from serving.errors import RequestError
from serving.keys import ApiKeys
from serving.logs import log
from serving.metrics import Metrics
from serving.settings import ServingSettings
from serving.sources import Revision

WARM_UP = "Hello"


@dataclass(frozen=True)
class Deployment:
    """A revision that answers."""

    revision: Revision
    model: Model
    scheduler: Scheduler

    @classmethod
    def load(cls, revision: Revision, settings: ServingSettings) -> Deployment:
        """Loads a revision and has it answer once."""
        model = Model(revision.files, lanes=settings.limits.lanes, threads=settings.threads)
        scheduler = Scheduler(model, settings.limits)
        encoded = model.encode(model.format.prompt(WARM_UP), max_new_tokens=1)
        (answer,) = scheduler.ask([(encoded.tokens, Decoding(max_new_tokens=1))])
        for _ in answer.pieces():
            pass
        if answer.error is not None:
            raise answer.error
        return cls(revision, model, scheduler)

    def close(self) -> None:
        """Waits for the answers in the making, and ends what computes them."""
        self.scheduler.close()
        self.model.close()


@dataclass(frozen=True)
class Question:
    """A prompt that is to be answered so many times."""

    prompt: str
    decoding: Decoding
    count: int = 1


class Service:
    """The server's state. Its methods run on the event loop, but for :meth:`deploy` and :meth:`close`."""

    def __init__(self, settings: ServingSettings, keys: ApiKeys) -> None:
        self.settings = settings
        self.keys = keys
        self.book = ClientBook(settings.client)
        self.metrics = Metrics()
        self.is_draining = False
        self.in_flight = 0  # requests that are being answered
        self._deployment: Deployment | None = None
        self._retiring: list[threading.Thread] = []
        self.metrics.watch(waiting=self._waiting, running=self._running)

    @property
    def is_ready(self) -> bool:
        """Returns whether questions are answered."""
        return self._deployment is not None and not self.is_draining

    @property
    def deployment(self) -> Deployment:
        """Returns what answers now.

        Raises:
          RequestError: 503, nothing does.
        """
        if self.is_draining:
            raise RequestError(503, "The server is about to end. Ask another one.", retry_after_seconds=5)
        if self._deployment is None:
            raise RequestError(503, "The model is being loaded. Ask again in a moment.", retry_after_seconds=5)
        return self._deployment

    def deploy(self, revision: Revision) -> None:
        """Has a revision answer from now on; questions to the one before are answered by that one to their end."""
        before, self._deployment = self._deployment, Deployment.load(revision, self.settings)
        self.metrics.serve(revision.name, revision.fingerprint)
        model = self._deployment.model
        log(model.arithmetic.sentence(), model=revision.name, revision=revision.fingerprint)
        if before is not None:
            self.metrics.swaps.inc()
            # Its model goes with the last request that still looks up scores in it.
            thread = threading.Thread(target=before.scheduler.close, name="retiring", daemon=True)
            self._retiring = [*(each for each in self._retiring if each.is_alive()), thread]
            thread.start()

    def close(self) -> None:
        """Waits for the answers in the making."""
        if self._deployment is not None:
            self._deployment.close()
        for thread in self._retiring:
            thread.join()

    async def ask(self, questions: Sequence[Question], *, client: str, route: str) -> Asking:
        """Puts questions to the model.

        Raises:
          RequestError: 429, there are too many; 503, nothing answers now.
        """
        stack = ExitStack()
        stack.enter_context(self.book.asking(client, answers=sum(each.count for each in questions)))
        try:
            return await self._ask(questions, client=client, route=route, stack=stack)
        except BaseException:
            stack.close()
            raise

    async def _ask(self, questions: Sequence[Question], *, client: str, route: str, stack: ExitStack) -> Asking:
        deployment = self.deployment
        encoded = await asyncio.to_thread(_encode, deployment.model, questions)
        repeated = [(each, part) for each, part in zip(questions, encoded, strict=True) for _ in range(each.count)]
        prompts = [
            (part.tokens, _seeded(each.decoding, number % each.count)) for number, (each, part) in enumerate(repeated)
        ]
        try:
            answers = _put(deployment, prompts, client)
        except ClosedError:
            deployment = self.deployment  # another revision has just taken over
            answers = _put(deployment, prompts, client)
        cuts = [part.cut for _, part in repeated]
        return Asking(answers, cuts, deployment.model, self.metrics, stack, client=client, route=route,
                      fingerprint=deployment.revision.fingerprint)  # fmt: skip

    def _waiting(self) -> int:
        return self._deployment.scheduler.waiting if self._deployment else 0

    def _running(self) -> int:
        return self._deployment.scheduler.running if self._deployment else 0


def _encode(model: Model, questions: Sequence[Question]) -> list[Encoded]:
    return [model.encode(each.prompt, max_new_tokens=each.decoding.max_new_tokens) for each in questions]


def _seeded(decoding: Decoding, number: int) -> Decoding:
    """Returns the decoding of the answer of this number to one prompt: the next ones have the next seeds."""
    return decoding if decoding.seed is None else decoding.with_seed(decoding.seed + number)


def _put(deployment: Deployment, prompts: Sequence[tuple[tuple[str, ...], Decoding]], client: str) -> list[Answer]:
    try:
        return deployment.scheduler.ask(prompts, client=client)
    except TooManyWaitingError as error:
        raise RequestError(429, str(error), code="queue_full", retry_after_seconds=error.retry_after_seconds) from error
