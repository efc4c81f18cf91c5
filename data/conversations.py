"""Conversations as rows: the `messages` of chat models and ShareGPT's `conversations`. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

from data.tfrecords import Row

Turns = Literal["drop", "last", "each"]
TURNS = get_args(Turns)
_ROLES: Mapping[str, str] = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
}
MULTI_TURN = "several turns"
ODD_TURNS = "turns out of order"


class Turn(NamedTuple):
    """A prompt and its answer."""

    prompt: str
    response: str


def rows_of(messages: Any, turns: Turns) -> list[Row] | tuple[str, str]:
    """Returns the rows of a conversation, or reason and detail if it gives none.

    A system text stands before the first prompt, with a blank line between.

    Args:
        messages: a list of `{"role", "content"}` or of ShareGPT's `{"from", "value"}`.
        turns: of a conversation with several: none is taken, the last alone, or each by itself, without those before.
    """
    found = _turns(messages)
    if isinstance(found, tuple):
        return found
    if len(found) > 1 and turns == "drop":
        return MULTI_TURN, f"{len(found)} turns; --turns last or each takes them without those before"
    taken = found[-1:] if turns == "last" else found
    return [Row(turn.prompt, "", turn.response) for turn in taken]


def _turns(messages: Any) -> list[Turn] | tuple[str, str]:
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        return "wrong type", f"messages must be a list. Received: {type(messages).__name__}"
    turns: list[Turn] = []
    system = prompt = None
    for position, message in enumerate(messages):
        role, text = _read(message)
        if role == "system" and not turns and system is prompt is None:
            system = text
        elif role == "user" and prompt is None:
            prompt = text
        elif role == "assistant" and prompt is not None:
            turns.append(Turn(f"{system}\n\n{prompt}" if system and not turns else prompt, text))
            prompt = None
        else:
            return ODD_TURNS, f"message {position + 1} is {role!r}"
    if prompt is not None or not turns:
        return ODD_TURNS, "the last message must be the assistant's" if turns or prompt else "no turn"
    return turns


def _read(message: Any) -> tuple[str | None, str]:
    """Returns role and text of a message; no role if it is none."""
    if not isinstance(message, Mapping):
        return None, ""
    role = _ROLES.get(str(message.get("role", message.get("from"))))
    content = message.get("content", message.get("value"))
    if isinstance(content, Sequence) and not isinstance(content, str):
        parts = [part.get("text") if isinstance(part, Mapping) else None for part in content]
        content = "".join(part for part in parts if part) if all(isinstance(part, str) for part in parts) else None
    return (role, content) if isinstance(content, str) else (None, "")
