"""Answers as server-sent events, in OpenAI's form."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from serving.asking import AnswerStream, Asking
from serving.errors import RequestError
from serving.openai_shapes import StreamOptions
from serving.routes.context import usage_of
from serving.service import Service

_EVENT = {"type": "object", "properties": {"data": {"type": "string"}}, "required": ["data"]}
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer; if `stream` is set, its parts as server-sent events, the last of them `[DONE]`.",
        "content": {"text/event-stream": {"schema": _EVENT}},
    }
}
DONE = "data: [DONE]\n\n"


def stream_response(
    asking: Asking,
    events: AsyncIterator[dict[str, Any]],
    service: Service,
    options: StreamOptions | None,
    head: dict[str, Any],
    choices: int,
) -> AnswerStream:
    """Returns the response that sends the events, and at their end the numbers of tokens if they are wanted."""
    lines = _lines(asking, events, with_usage=bool(options and options.include_usage), head=head, choices=choices)
    return AnswerStream(asking, lines, seconds=service.settings.limits.answer_seconds)


async def _lines(
    asking: Asking, events: AsyncIterator[dict[str, Any]], *, with_usage: bool, head: dict[str, Any], choices: int
) -> AsyncIterator[str]:
    last: dict[str, Any] = {}
    async for event in events:
        last = {**event, "system_fingerprint": asking.fingerprint}
        if event["choices"][0]["finish_reason"] is not None:
            last["warnings"] = asking.warnings()
        yield _line(last | ({"usage": None} if with_usage else {}))
    try:
        asking.check()
    except RequestError as error:
        yield _line(error.body())
        return
    if with_usage:
        usage = usage_of(asking, choices=choices).model_dump()
        yield _line({**last, **head, "choices": [], "usage": usage})
    yield DONE


def _line(event: dict[str, Any]) -> str:
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n"
