"""OpenAI's chat: a conversation is answered in the model's own prompt format."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from serving.answering.model import Model, TokenScore
from serving.answering.prompt import decoding_for
from serving.answering.text import REPLACEMENT
from serving.asking import Asking
from serving.openai_shapes import (
    AnswerMessage,
    ChatChoice,
    ChatCompletion,
    ChatLogprobs,
    ChatRequest,
    TokenLogprob,
    TopLogprob,
)
from serving.routes.context import ERRORS, answer_fields, client_of, deployment_for, finish_of, new_id, service_of
from serving.routes.events import STREAMED, stream_response
from serving.service import Question

router = APIRouter(responses=ERRORS)
PATH = "/v1/chat/completions"


@router.post(PATH, response_model=ChatCompletion, responses=STREAMED, tags=["OpenAI"])
async def chat(request: Request, asked: ChatRequest) -> ChatCompletion | Response:
    """Answers the last message; what was said before stands in front of it, as far as it fits."""
    service = service_of(request)
    deployment = deployment_for(service, asked.model)
    top = _top(asked)
    decoding = decoding_for(
        deployment.model.format, seed=asked.seed, stop=asked.stops(),
        max_new_tokens=asked.max_completion_tokens or asked.max_tokens,
        temperature=asked.temperature, top_k=asked.top_k, top_p=asked.top_p,
    )  # fmt: skip
    prompt = deployment.model.format.conversation([(message.role, message.text()) for message in asked.messages])
    choices = asked.n or 1
    asking = await service.ask([Question(prompt, decoding, choices)], client=client_of(request), route=PATH)
    head: dict[str, Any] = {"id": new_id("chatcmpl"), "created": asking.created, "model": deployment.revision.name}
    if asked.stream:
        return stream_response(asking, _events(asking, top, head), service, asked.stream_options, head, choices)
    fields = await answer_fields(
        asking, request, lambda number, text: _choice(asking, number, text, top), choices=choices
    )
    return ChatCompletion(**head, **fields)


def _top(asked: ChatRequest) -> int | None:
    """Returns how many of the likeliest tokens are told; None if no log-probabilities are."""
    wanted = asked.top_logprobs is not None if asked.logprobs is None else asked.logprobs
    return (asked.top_logprobs or 0) if wanted else None


async def _choice(asking: Asking, number: int, text: str, top: int | None) -> ChatChoice:
    scores = await asking.scores(number, top)
    return ChatChoice(
        index=number,
        message=AnswerMessage(content=text),
        finish_reason=finish_of(asking.answers[number].reason),
        logprobs=None if top is None else _logprobs(asking.model, scores),
    )


async def _events(asking: Asking, top: int | None, head: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    def event(number: int, delta: dict[str, Any], **rest: Any) -> dict[str, Any]:
        choice = {"index": number, "delta": delta, "logprobs": None, "finish_reason": None} | rest
        return {**head, "object": "chat.completion.chunk", "choices": [choice]}

    for number in range(len(asking.answers)):
        yield event(number, {"role": "assistant", "content": ""})
    async for number, piece, scores in asking.scored_events(top):
        if piece is None:
            yield event(number, {}, finish_reason=finish_of(asking.answers[number].reason))
        else:
            logprobs = _logprobs(asking.model, scores).model_dump() if scores else None
            yield event(number, {"content": piece.text}, logprobs=logprobs)


def _logprobs(model: Model, scores: list[TokenScore]) -> ChatLogprobs:
    return ChatLogprobs(
        content=[
            TokenLogprob(
                **_logprob(model, score.token_id, score.log_prob),
                top_logprobs=[TopLogprob(**_logprob(model, *each)) for each in score.likeliest],
            )
            for score in scores
        ]
    )


def _logprob(model: Model, token_id: int, log_prob: float) -> dict[str, Any]:
    text = model.decode([token_id])
    # A part of a character has no text of its own, and what its bytes are only the tokenizer's alphabet knows.
    known = None if REPLACEMENT in text else list(text.encode())
    return {"token": text, "logprob": log_prob, "bytes": known}
