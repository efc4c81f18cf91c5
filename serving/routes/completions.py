"""OpenAI's completions: a text is continued as it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from serving.answering.model import Model, TokenScore
from serving.answering.prompt import decoding_for
from serving.asking import Asking
from serving.openai_shapes import Completion, CompletionChoice, CompletionLogprobs, CompletionRequest
from serving.routes.context import ERRORS, answer_fields, client_of, deployment_for, finish_of, new_id, service_of
from serving.routes.events import STREAMED, stream_response
from serving.service import Question

router = APIRouter(responses=ERRORS)
PATH = "/v1/completions"


@router.post(PATH, response_model=Completion, responses=STREAMED, tags=["OpenAI"])
async def complete(request: Request, asked: CompletionRequest) -> Completion | Response:
    """Continues each prompt as it is, without the model's prompt format."""
    service = service_of(request)
    deployment = deployment_for(service, asked.model)
    prompt_format = deployment.model.format
    decoding = decoding_for(
        prompt_format, seed=asked.seed, stop=asked.stops(),
        max_new_tokens=asked.max_tokens, temperature=asked.temperature, top_k=asked.top_k, top_p=asked.top_p,
    )  # fmt: skip
    choices = asked.n or 1
    questions = [Question(prompt_format.neutral(prompt), decoding, choices) for prompt in asked.prompts()]
    asking = await service.ask(questions, client=client_of(request), route=PATH)
    head: dict[str, Any] = {"id": new_id("cmpl"), "created": asking.created, "model": deployment.revision.name}
    if asked.stream:
        return stream_response(asking, _events(asking, asked, head), service, asked.stream_options, head, choices)
    fields = await answer_fields(
        asking, request, lambda number, text: _choice(asking, number, text, asked.logprobs), choices=choices
    )
    return Completion(**head, **fields)


async def _choice(asking: Asking, number: int, text: str, top: int | None) -> CompletionChoice:
    scores = await asking.scores(number, top)
    return CompletionChoice(
        index=number,
        text=text,
        finish_reason=finish_of(asking.answers[number].reason),
        logprobs=None if top is None else _logprobs(asking.model, scores, offset=0),
    )


async def _events(asking: Asking, asked: CompletionRequest, head: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    offsets = [0] * len(asking.answers)
    async for number, piece, scores in asking.scored_events(asked.logprobs):
        logprobs = None
        if scores:
            logprobs = _logprobs(asking.model, scores, offset=offsets[number])
            offsets[number] += sum(len(token) for token in logprobs.tokens)
        reason = None if piece is not None else finish_of(asking.answers[number].reason)
        yield {
            **head,
            "object": "text_completion",
            "choices": [
                {
                    "index": number,
                    "text": piece.text if piece is not None else "",
                    "logprobs": logprobs.model_dump() if logprobs else None,
                    "finish_reason": reason,
                }
            ],
        }


def _by_text(model: Model, likeliest: tuple[tuple[int, float], ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    for token_id, log_prob in likeliest:
        found.setdefault(model.decode([token_id]), log_prob)
    return found


def _logprobs(model: Model, scores: list[TokenScore], *, offset: int) -> CompletionLogprobs:
    tokens = [model.decode([score.token_id]) for score in scores]
    offsets = [offset + sum(len(token) for token in tokens[:number]) for number in range(len(tokens))]
    return CompletionLogprobs(
        tokens=tokens,
        token_logprobs=[score.log_prob for score in scores],
        # Tokens that are parts of a character have one text; the likeliest of them is told.
        top_logprobs=[_by_text(model, score.likeliest) for score in scores],
        text_offset=offsets,
    )
