"""The real Hub server behind a door that goes wrong as told: it refuses, fails, or cuts the answer after
acting."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass
class Fault:
    """What happens to the next `times` requests of this method whose path contains `path`."""

    method: str
    path: str
    kind: Literal["answer", "cut_before", "cut_after", "hang"]
    status: int = 500
    times: int = 1
    body: bytes = b'{"error": "told to fail"}'
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass
class FaultyHub:
    """An ASGI application around the server's own."""

    app: ASGIApp
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests.append(f"{scope['method']} {scope['path']}")
        fault = self._next_fault(scope)
        if fault is None:
            await self.app(scope, receive, send)
        elif fault.kind == "answer":
            await answer(fault.status, receive, send, body=fault.body, headers=fault.headers)
        elif fault.kind == "hang":
            await hang(receive)
        else:
            if fault.kind == "cut_after":
                await self.app(scope, receive, nowhere)
            await cut(send)

    def _next_fault(self, scope: Scope) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and scope["method"] == fault.method and fault.path in scope["path"]:
                fault.times -= 1
                return fault
        return None


async def answer(
    status: int,
    receive: Receive,
    send: Send,
    *,
    body: bytes = b'{"error": "told to fail"}',
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    """Listens to the whole request, then answers what it was told to."""
    while (await receive()).get("more_body"):
        pass
    own = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": body})


async def hang(receive: Receive) -> None:
    """Never answers; ends when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        await asyncio.sleep(0)


async def cut(send: Send) -> None:
    """An answer that promises more than it holds: the server then closes the connection."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
    await send({"type": "http.response.body", "body": b"{", "more_body": False})


async def nowhere(_message: Message) -> None:
    """Takes the server's answer and lets nobody have it."""
