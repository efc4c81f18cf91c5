"""The model as the page asks it: the prompt, how the next token is chosen, and the answer, token by token.

The prompt comes from the model's own `prompt.json`, so that it has the very bytes the model was trained on.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctranslate2
from about import About, Arithmetic
from tokenizers import Tokenizer

ANSWERS_AT_ONCE = 8
UNSEEDED = 2**32 - 1  # CTranslate2's word for: every thread by chance


class UnanswerableError(ValueError):
    """Nothing can be answered; the message is a sentence for the visitor."""


@dataclass(frozen=True)
class PromptFormat:
    """What `prompt.json` says: how an instruction becomes text, and how much of it fits."""

    with_input: str
    without_input: str
    end_token: str
    neutral_end_token: str  # replaces the end token in a visitor's text
    blank_characters: str
    context_length: int  # tokens of prompt and response together
    generation: dict[str, Any]  # default decoding

    @classmethod
    def read(cls, file: Path) -> PromptFormat:
        content = json.loads(file.read_text(encoding="utf-8"))
        return cls(
            with_input=content["with_input"],
            without_input=content["without_input"],
            end_token=content["end_token"],
            neutral_end_token=content.get("neutral_end_token", ""),
            blank_characters=content.get("blank_characters", " \t\n\r\f\v"),
            context_length=content["context_length"],
            generation=content.get("generation", {}),
        )

    def prompt(self, instruction: str, input_text: str = "") -> str:
        """The prompt, byte for byte as in training."""
        instruction, input_text = self._neutral(instruction), self._neutral(input_text)
        if not input_text.strip(self.blank_characters):
            return self.without_input.format(instruction=instruction)
        return self.with_input.format(instruction=instruction, input=input_text)

    def _neutral(self, text: str) -> str:
        return text.replace(self.end_token, self.neutral_end_token)


@dataclass(frozen=True)
class Decoding:
    """How the next token is chosen; temperature 0 takes the likeliest, top_k 0 and top_p 1 switch those
    limits off."""

    max_new_tokens: int = 128
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int | None = None  # None: another answer every time

    def options(self) -> dict[str, Any]:
        """As CTranslate2 names them; there, sampling from the one best token is greedy decoding."""
        if self.temperature <= 0:
            return {"sampling_topk": 1}
        return {
            "sampling_topk": self.top_k,
            "sampling_topp": self.top_p,
            "sampling_temperature": self.temperature,
        }


class Assistant:
    """A model that answers prompts, token by token; loaded once."""

    def __init__(self, folder: Path) -> None:
        self.format = PromptFormat.read(folder / "prompt.json")
        self.about = About.read(folder)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._model_folder = str(folder / "ctranslate2")
        self._generator = self._load(ANSWERS_AT_ONCE)
        self.arithmetic = Arithmetic.of(self._generator, folder / "ctranslate2")
        self._seeding = threading.Lock()

    def encode(self, prompt: str, *, max_new_tokens: int) -> tuple[list[str], int]:
        """The prompt's tokens, and how many were cut from its left to leave room for the response."""
        tokens = self._tokenizer.encode(prompt).tokens
        cut = max(0, len(tokens) - max(1, self.format.context_length - max_new_tokens))
        return tokens[cut:], cut

    def stream(self, tokens: list[str], decoding: Decoding) -> Iterator[str]:
        """The response so far, after each token; ends at the end token."""
        ids: list[int] = []
        for step in self._steps(tokens, decoding):
            if step.token == self.format.end_token:
                break
            ids.append(step.token_id)
            # A character may be spread over several tokens; its first part decodes to a replacement character.
            yield self._tokenizer.decode(ids, skip_special_tokens=True).rstrip("\ufffd")

    def _steps(self, tokens: list[str], decoding: Decoding) -> Iterator[Any]:
        """CTranslate2's results, a token at a time; of a seeded answer, always the same ones."""

        def begin(generator: ctranslate2.Generator) -> Iterator[Any]:
            end, longest = self.format.end_token, decoding.max_new_tokens
            steps: Iterator[Any] = generator.generate_tokens(
                tokens, max_length=longest, end_token=end, **decoding.options()
            )
            return steps

        if decoding.seed is None or decoding.temperature <= 0:
            yield from begin(self._generator)
            return
        # The seed belongs to the whole process; a fresh generator takes it with its first token.
        with self._seeding:
            ctranslate2.set_random_seed(decoding.seed)
            steps = begin(self._load(1))
            first = next(steps, None)
            ctranslate2.set_random_seed(UNSEEDED)
        if first is not None:
            yield first
            yield from steps

    def _load(self, answers_at_once: int) -> ctranslate2.Generator:
        """The model, its weights once whatever the number; each answer has one thread, so that all of them grow."""
        return ctranslate2.Generator(self._model_folder, device="cpu", inter_threads=answers_at_once, intra_threads=1)


def decoding_of(prompt_format: PromptFormat, given: dict[str, float | None], *, seed: int | None = None) -> Decoding:
    """Decoding from the page's fields; a blank field takes the model's default, a wrong value the nearest
    right one."""
    values = {name: prompt_format.generation.get(name, getattr(Decoding(), name)) for name in given}
    values |= {name: value for name, value in given.items() if value is not None}
    return Decoding(
        max_new_tokens=min(max(1, int(values["max_new_tokens"])), longest_answer(prompt_format)),
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
    if not (text.isascii() and text.isdecimal()) or int(text) >= UNSEEDED:
        raise UnanswerableError(f"Please give a seed from 0 to {UNSEEDED - 1}, or none.")
    return int(text)


def longest_answer(prompt_format: PromptFormat) -> int:
    """Tokens that an answer may have: half of the context, or the model's default where that is more."""
    default = int(prompt_format.generation.get("max_new_tokens", 0))
    return min(max(prompt_format.context_length // 2, default, 1), max(1, prompt_format.context_length - 1))
