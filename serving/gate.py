"""Checks of every request before a route sees it: who asks, how much it sends, whether the server is ending."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import RequestError, error_body
from serving.logs import log
from serving.service import Service

OPEN = ("/health", "/ready", "/metrics", "/docs", "/openapi.json")  # for probes and people, without a key
BODY_SECONDS = 30.0  # that a request may take to arrive
DRAINED_BYTES = 4 * 1024 * 1024  # of a body that is too large: a client that has sent all reads the answer
CLIENT_KEY = "client"  # in the scope's state
UNKNOWN_ROUTE = "unknown"


class Gate:
    """An ASGI middleware around all routes."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request that may not pass, and lets the others pass with their whole body read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(send)
        started = time.monotonic()
        self._service.in_flight += 1
        try:
            await self._pass(scope, receive, exchange)
        except RequestError as error:
            await exchange.refuse(error)
        finally:
            self._service.in_flight -= 1
            self._note(scope, exchange, time.monotonic() - started)

    async def _pass(self, scope: Scope, receive: Receive, exchange: _Exchange) -> None:
        headers = Headers(scope=scope)
        client = scope.get("client")
        state = scope.setdefault("state", {})
        state[CLIENT_KEY] = client[0] if client else ""
        if not _is_open(scope["path"]):
            if self._service.is_draining:
                raise RequestError(503, "The server is about to end. Ask another one.", retry_after_seconds=5)
            state[CLIENT_KEY] = self._service.keys.client(headers.get("authorization"), address=state[CLIENT_KEY])
        body = await _read_body(receive, headers, self._service.settings.body_bytes)
        await self._app(scope, _Replay(body, receive), exchange.send)

    def _note(self, scope: Scope, exchange: _Exchange, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
        self._service.metrics.requests.labels(route, str(exchange.status)).inc()
        if route not in OPEN:
            log(
                "request",
                request_id=exchange.request_id,
                client=scope.get("state", {}).get(CLIENT_KEY),
                route=route,
                status=exchange.status,
                seconds=round(seconds, 4),
            )


class _Exchange:
    """Sends an answer with the request's number in it, and remembers its status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.request_id = f"req-{uuid.uuid4().hex}"
        self.status = 0  # nothing was answered

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", self.request_id.encode())]
        await self._send(message)

    async def refuse(self, error: RequestError) -> None:
        """Answers with an error, unless an answer has begun."""
        if self.status:
            raise error
        body = json.dumps(error_body(error.status, error.message, param=error.param, code=error.code)).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **error.headers()}
        if error.status in (408, 413):
            headers["Connection"] = "close"  # what is left of the request is not read
        await self.send({"type": "http.response.start", "status": error.status, "headers": _raw(headers.items())})
        await self.send({"type": "http.response.body", "body": body})


class _Replay:
    """Gives a route the body that was read already, and then what the server says."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def _read_body(receive: Receive, headers: Headers, limit: int) -> bytes:
    """Returns the whole body.

    Raises:
      RequestError: 413, it is too large; 408, it does not come; 499, the client has gone.
    """
    declared = headers.get("content-length", "")
    too_large = declared.isdecimal() and int(declared) > limit
    if too_large and int(declared) > limit + DRAINED_BYTES:
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise RequestError(499, "The client has gone.")
                part = message.get("body", b"")
                size += len(part)
                if size > limit + DRAINED_BYTES:
                    raise _too_large(limit)
                if size <= limit:
                    parts.append(part)
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise RequestError(408, f"A request must arrive within {BODY_SECONDS:.0f} s.") from None
    if size > limit:
        raise _too_large(limit)
    return b"".join(parts)


def _too_large(limit: int) -> RequestError:
    return RequestError(413, f"A request may have {limit} bytes. Received: more. Send less.", code="request_too_large")


def _is_open(path: str) -> bool:
    return path in OPEN or path.startswith("/docs/")


def _raw(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers]
