"""Prompts, made of questions by the model's own `prompt.json`, and the choice of the next token."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ASSISTANT = "assistant"
LEAST_TEMPERATURE = 1e-3  # below, the likeliest token is taken: in float32 the division would overflow
LEAST_TOP_P = 1e-4
SEEDS = 2**32 - 1  # CTranslate2 takes 0 to this, exclusive: this number itself means "by chance"


@dataclass(frozen=True)
class PromptFormat:
    """Contents of `prompt.json`: how an instruction becomes text, and how much of it fits."""

    with_input: str
    without_input: str
    end_token: str
    neutral_end_token: str  # replaces the end token in a client's text
    blank_characters: str
    context_length: int  # tokens of prompt and response together
    generation: dict[str, Any]  # default decoding

    @classmethod
    def read(cls, file: Path) -> PromptFormat:
        """Reads a revision's `prompt.json`."""
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
        """Returns the prompt, byte for byte as in training."""
        instruction, input_text = self.neutral(instruction), self.neutral(input_text)
        if not input_text.strip(self.blank_characters):
            return self.without_input.format(instruction=instruction)
        return self.with_input.format(instruction=instruction, input=input_text)

    def conversation(self, messages: Sequence[tuple[str, str]]) -> str:
        """Returns the prompt for a conversation, as the chat template of the Transformers export has it.

        Args:
          messages: role and text of each; every role but `assistant` gives an instruction.
        """
        before, _, after = self.without_input.partition("{instruction}")
        separator, marker = _parted(after)
        end_token = self.end_token if marker else ""
        parts = [
            f"{marker}{self.neutral(text)}{end_token}"
            if role == ASSISTANT
            else f"{before}{self.neutral(text)}{separator}"
            for role, text in messages
        ]
        return "".join(parts) + marker

    def neutral(self, text: str) -> str:
        """Returns a client's text in which an end token has no effect."""
        return text.replace(self.end_token, self.neutral_end_token)

    def longest_answer(self) -> int:
        """Returns the tokens that an answer may have: half of the context, or the model's default where that is
        more."""
        default = int(self.generation.get("max_new_tokens", 0))
        return min(max(self.context_length // 2, default, 1), max(1, self.context_length - 1))


@dataclass(frozen=True)
class Decoding:
    """Choice of an answer's tokens, and its end.

    A temperature of 0 takes the likeliest token; `top_k` 0 and `top_p` 1 switch those limits off.
    """

    max_new_tokens: int = 128
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int | None = None  # 0 to SEEDS - 1; None: another answer every time
    stop: tuple[str, ...] = ()  # texts before which the answer ends

    @property
    def is_greedy(self) -> bool:
        """Returns whether the likeliest token is always taken."""
        return self.temperature < LEAST_TEMPERATURE

    @property
    def is_seeded(self) -> bool:
        """Returns whether the seed decides about the answer."""
        return self.seed is not None and not self.is_greedy

    def with_seed(self, seed: int) -> Decoding:
        """Returns the same with another seed, any whole number."""
        return replace(self, seed=seed % SEEDS)

    def options(self) -> dict[str, Any]:
        """Returns what CTranslate2 is told; there, sampling from the one best token is greedy decoding."""
        if self.is_greedy:
            return {"sampling_topk": 1}
        return {
            "sampling_topk": self.top_k,
            "sampling_topp": max(self.top_p, LEAST_TOP_P),
            "sampling_temperature": self.temperature,
        }


def decoding_for(
    prompt_format: PromptFormat, *, seed: int | None = None, stop: Sequence[str] = (), **given: float | None
) -> Decoding:
    """Returns the decoding that a client asked for; what is None has the model's default.

    Args:
      prompt_format: of the model; an answer is at most as long as it allows.
      seed: any whole number, or None.
      stop: texts before which the answer ends.
      given: `max_new_tokens`, `temperature`, `top_k` and `top_p`, each of which may be left out.
    """
    usual = Decoding()
    values = {
        name: prompt_format.generation.get(name, getattr(usual, name))
        for name in ("max_new_tokens", "temperature", "top_k", "top_p")
    }
    values |= {name: value for name, value in given.items() if value is not None}
    return Decoding(
        max_new_tokens=min(int(values["max_new_tokens"]), prompt_format.longest_answer()),
        temperature=float(values["temperature"]),
        top_k=int(values["top_k"]),
        top_p=float(values["top_p"]),
        seed=None if seed is None else seed % SEEDS,
        stop=tuple(stop),
    )


def _parted(tail: str) -> tuple[str, str]:
    """Returns what follows an instruction in two parts: the blank line, and what the response stands after."""
    marker = tail.lstrip("\n")
    return tail[: len(tail) - len(marker)], marker
