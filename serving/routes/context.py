"""Parts that routes share: the service, the client, the checks of a request, and the errors of every route."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request

from serving.answering.answer import Reason
from serving.asking import Asking
from serving.errors import RequestError
from serving.gate import CLIENT_KEY
from serving.openai_shapes import ErrorAnswer, Finish, Usage
from serving.service import Deployment, Service

_DESCRIPTIONS = {
    400: "The request is not what the schema asks for.",
    401: "The API key is missing or wrong.",
    404: "There is no such model.",
    408: "The request did not arrive in time.",
    413: "The request is too large.",
    429: "Too many requests: `Retry-After` says when to ask again.",
    500: "The model failed.",
    503: "Nothing answers now: `Retry-After` says when to ask again.",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": description} for status, description in _DESCRIPTIONS.items()
}


def service_of(request: Request) -> Service:
    """Returns the server's state."""
    service: Service = request.app.state.service
    return service


def client_of(request: Request) -> str:
    """Returns who asks."""
    return str(getattr(request.state, CLIENT_KEY))


def deployment_for(service: Service, model: str | None) -> Deployment:
    """Returns what answers, if it is what the client wants.

    Raises:
      RequestError: 404, it is another model; 503, nothing answers now.
    """
    deployment = service.deployment
    revision = deployment.revision
    if model not in (None, revision.name, f"{revision.name}@{revision.fingerprint}"):
        raise RequestError(
            404,
            f"There is one model here, {revision.name} at {revision.fingerprint}. Received: another name.",
            param="model",
            code="model_not_found",
        )
    return deployment


def new_id(prefix: str) -> str:
    """Returns a name for an answer."""
    return f"{prefix}-{uuid.uuid4().hex}"


def finish_of(reason: Reason | None) -> Finish:
    """Returns OpenAI's word for the end of an answer."""
    return "stop" if reason == "stop" else "length"


async def answer_fields(
    asking: Asking, request: Request, choice: Callable[[int, str], Awaitable[Any]], *, choices: int
) -> dict[str, Any]:
    """Waits for all answers and returns the fields that whole answers have in common; closes `asking`.

    Args:
      asking: what was asked.
      request: of the client.
      choice: makes an answer's choice of its number and text.
      choices: of each prompt.

    Raises:
      RequestError: the model failed, or the client has gone.
    """
    try:
        texts = await asking.texts(request)
        found = [await choice(number, text) for number, text in enumerate(texts)]
    finally:
        asking.close()
    return {
        "system_fingerprint": asking.fingerprint,
        "choices": found,
        "usage": usage_of(asking, choices=choices),
        "warnings": asking.warnings(),
    }


def usage_of(asking: Asking, *, choices: int) -> Usage:
    """Returns the numbers of tokens; a prompt of several choices counts once."""
    prompt = sum(len(answer.prompt) for answer in asking.answers[::choices])
    completion = sum(len(answer.tokens) for answer in asking.answers)
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)
