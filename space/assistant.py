"""The model as the page asks it: many visitors at once, each of whom sees the answer grow.

The package `answering`, which the project's HTTP server uses too, makes the prompt from the model's own `prompt.json`
and computes the answers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from about import About
from answering.errors import TooManyWaitingError
from answering.model import Model, ModelFiles
from answering.prompt import SEEDS, Decoding, PromptFormat
from answering.scheduler import Limits, Scheduler

ANSWERS_AT_ONCE = 32


class UnanswerableError(ValueError):
    """Nothing can be answered; the message is a sentence for the visitor."""


class Assistant:
    """A model that answers prompts, token by token; loaded once."""

    def __init__(self, folder: Path) -> None:
        limits = Limits(lanes=max(2, len(os.sched_getaffinity(0))))
        self.model = Model(ModelFiles.find(folder), lanes=limits.lanes)
        self.format = self.model.format
        self.arithmetic = self.model.arithmetic
        self.about = About.read(folder)
        self._scheduler = Scheduler(self.model, limits)

    def encode(self, prompt: str, *, max_new_tokens: int) -> tuple[Sequence[str], int]:
        """The prompt's tokens, and how many were cut from its left to leave room for the response."""
        encoded = self.model.encode(prompt, max_new_tokens=max_new_tokens)
        return encoded.tokens, encoded.cut

    def stream(self, tokens: Sequence[str], decoding: Decoding, *, visitor: str = "") -> Iterator[str]:
        """The response so far, again and again; a visitor who leaves stops it.

        Raises:
          UnanswerableError: too many ask.
          RuntimeError: the model failed.
        """
        try:
            (answer,) = self._scheduler.ask([(tokens, decoding)], client=visitor)
        except TooManyWaitingError as error:
            raise UnanswerableError("Too many people are asking right now. Please try again in a moment.") from error
        text = ""
        try:
            for piece in answer.pieces():
                text += piece.text
                if piece.text:
                    yield text
        finally:
            answer.cancel()
        if answer.error is not None:
            raise RuntimeError("The model failed.") from answer.error


def decoding_of(prompt_format: PromptFormat, given: dict[str, float | None], *, seed: int | None = None) -> Decoding:
    """Decoding from the page's fields; a blank field takes the model's default, a wrong value the nearest
    right one."""
    values = {name: prompt_format.generation.get(name, getattr(Decoding(), name)) for name in given}
    values |= {name: value for name, value in given.items() if value is not None}
    return Decoding(
        max_new_tokens=min(max(1, int(values["max_new_tokens"])), prompt_format.longest_answer()),
        temperature=max(0.0, float(values["temperature"])),
        top_k=max(0, int(values["top_k"])),
        top_p=min(max(0.01, float(values["top_p"])), 1.0),
        seed=seed,
    )


def seed_of(given: str | int | None) -> int | None:
    """The seed in the page's field, or a caller's; None when there is none."""
    text = "" if given is None else str(given).strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or int(text) >= SEEDS:
        raise UnanswerableError(f"Please give a seed from 0 to {SEEDS - 1}, or none.")
    return int(text)
