"""Every answer carries the id of its request, which the client puts into its errors and people into their reports."""

from __future__ import annotations

import re
import uuid
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ID: Final = re.compile(r"[\x21-\x7e]{1,200}")


class RequestIds:
    """Gives an answer the id that the client chose, or a new one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _chosen_id(Headers(scope=scope)) or str(uuid.uuid4())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        await self._app(scope, receive, send_with_id)


def _chosen_id(headers: Headers) -> str | None:
    chosen = headers.get("x-request-id") or headers.get("x-amzn-trace-id")
    return chosen if chosen is not None and _ID.fullmatch(chosen) else None
