"""Access to gated repositories."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub.access import writable_repository
from hub.bodies import read_json
from hub.errors import ConflictError, EntryNotFoundError, InvalidRequestError
from hub.repository import ACCESS_STATUSES, AccessRequest, Settings
from hub.state import hub_state

_REQUESTS = "/api/{kind}/{namespace}/{name}/user-access-request"


def list_requests(request: Request) -> Response:
    """Returns the requests of one status."""
    repository, _ = writable_repository(request)
    status = request.path_params["status"]
    return JSONResponse([_described(asked) for asked in repository.settings.requests if asked.status == status])


async def grant(request: Request) -> Response:
    """Lets in a user who did not ask."""
    repository, _ = await run_in_threadpool(writable_repository, request)
    user = (await read_json(request)).get("user")
    if not isinstance(user, str) or not user or not user.isprintable():
        raise InvalidRequestError(f"Access is granted to a user. Received: user={user!r}")
    granted = AccessRequest(user, "accepted", hub_state(request).storage.timestamp())

    def change(settings: Settings) -> Settings:
        if user in settings.readers:
            raise ConflictError(f"{user} was let in already.")
        return _with(settings, granted)

    await run_in_threadpool(repository.change_settings, change)
    return JSONResponse({})


async def handle(request: Request) -> Response:
    """Accepts or rejects a request, or puts it back to wait."""
    repository, _ = await run_in_threadpool(writable_repository, request)
    body = await read_json(request)
    status, timestamp = body.get("status"), hub_state(request).storage.timestamp()
    if status not in ACCESS_STATUSES:
        raise InvalidRequestError(f"A request is {', '.join(ACCESS_STATUSES)}. Received: status={status!r}")

    def change(settings: Settings) -> Settings:
        asked = _asked(settings, body)
        if asked.status == status:
            raise ConflictError(f"The request of {asked.user} is {status} already.")
        return _with(settings, replace(asked, status=status, timestamp=timestamp))

    await run_in_threadpool(repository.change_settings, change)
    return JSONResponse({})


def _asked(settings: Settings, body: dict[str, Any]) -> AccessRequest:
    for asked in settings.requests:
        if body.get("user") == asked.user or body.get("requestId") == asked.id:
            return asked
    raise EntryNotFoundError(
        f"Nobody of that name asked for access. Received: {body.get('user') or body.get('requestId')}"
    )


def _with(settings: Settings, changed: AccessRequest) -> Settings:
    others = (asked for asked in settings.requests if asked.user != changed.user)
    return replace(settings, requests=(*others, changed))


def _described(asked: AccessRequest) -> dict[str, Any]:
    return {
        "requestId": asked.id,
        "user": {"user": asked.user, "fullname": asked.user},
        "status": asked.status,
        "timestamp": asked.timestamp,
    }


ROUTES = [
    Route(_REQUESTS + "/grant", grant, methods=["POST"]),
    Route(_REQUESTS + "/handle", handle, methods=["POST"]),
    Route(_REQUESTS + "/{status}", list_requests),
]
