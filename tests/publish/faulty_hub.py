"""The real Hub server behind a door that goes wrong as told: it refuses, fails, or cuts the answer after
acting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass
class Fault:
    """What happens to the next `times` requests of this method whose path contains `path`."""

    method: str
    path: str
    kind: Literal["answer", "cut_before", "cut_after"]
    status: int = 500
    times: int = 1
    body: bytes = b'{"error": "told to fail"}'


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
            await self._answer(fault, receive, send)
        else:
            if fault.kind == "cut_after":
                await self.app(scope, receive, _nowhere)
            await self._cut(send)

    def _next_fault(self, scope: Scope) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and scope["method"] == fault.method and fault.path in scope["path"]:
                fault.times -= 1
                return fault
        return None

    async def _answer(self, fault: Fault, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(fault.body))]
        await send({"type": "http.response.start", "status": fault.status, "headers": headers})
        await send({"type": "http.response.body", "body": fault.body})

    async def _cut(self, send: Send) -> None:
        """An answer that promises more than it holds: the server then closes the connection."""
        headers = [(b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": False})


async def _nowhere(_message: Message) -> None:
    """Takes the server's answer and lets nobody have it."""
