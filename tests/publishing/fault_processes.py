"""The processes of a case: a server that goes wrong at one request, and whatever runs against it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import h11
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.server import create_app
from tests.publishing.faulty_hub import answer, cut, hang, nowhere

LIMIT_SECONDS: Final = 120.0
CRASHED: Final = 99


@dataclass
class Door:
    """An ASGI application that does `fault` at its request `number`, and notes every request."""

    app: ASGIApp
    number: int
    fault: str
    publisher: Path  # a file with its process id
    note: Path | None  # a file for the requests
    requests: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        number, self.requests = self.requests, self.requests + 1
        if self.note is not None:
            with self.note.open("a") as file:
                file.write(f"{scope['method']} {scope['path']}\n")
        from_then_on = self.fault.endswith("from then on") and number > self.number
        if number != self.number and not from_then_on:
            await self.app(scope, receive, send)
        elif self.fault.startswith("answers"):
            await answer(int(self.fault.split()[1]), receive, send)
        elif self.fault == "hangs":
            await hang(receive)
        else:
            await self._break(scope, receive, send)

    async def _break(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.fault.endswith("after acting"):
            await self.app(scope, receive, nowhere)
        if self.fault.startswith("server killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault.startswith("publisher killed"):
            os.kill(int(self.publisher.read_text()), signal.SIGKILL)
        await cut(send)


def serve(
    storage: Path,
    port: int,
    *,
    number: int = -1,
    fault: str = "none",
    publisher: Path = Path("none"),
    note: Path | None = None,
) -> None:
    door = Door(create_app(storage), number, fault, publisher, note)
    config = uvicorn.Config(door, log_config=None, lifespan="off", timeout_graceful_shutdown=0)
    listener = _bound(port)
    listener.listen(128)
    server = uvicorn.Server(config)
    try:
        server.run(sockets=[listener])
    except h11.LocalProtocolError:
        # Told to stop, uvicorn takes its leave of every connection, also of one that a killed publisher broke.
        if not server.should_exit:
            raise


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port that nobody else is given while servers come and go on it.

    Without this, a free port that was looked up once may be another process's a moment later: of some thousand cases
    one then speaks to a stranger.
    """
    with _bound(0) as holder:
        yield int(holder.getsockname()[1])


def _bound(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def spawn(work: Callable[[], int | None], *, errors: Path, pid_file: Path | None = None) -> int:
    """Runs `work` in a copy of this process; gives its process id, once that is in `pid_file`.

    What it writes to its standard error is appended to `errors`.
    """
    ready, go = os.pipe()
    process = os.fork()
    if process:
        if pid_file is not None:
            pid_file.write_text(str(process))
        os.write(go, b"x")
        os.close(go)
        os.close(ready)
        return process
    status = CRASHED
    try:
        os.read(ready, 1)
        os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        status = work() or 0
    finally:
        if (error := sys.exc_info()[1]) is not None:
            traceback.print_exception(error)
        sys.stderr.flush()
        os._exit(status)


def wait(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def stop(server: int) -> str | None:
    """Ends a server; what is to be said if it had ended by itself."""
    os.kill(server, signal.SIGTERM)
    status = wait(server)
    return None if status in (0, -signal.SIGTERM) else f"the server had ended by itself, status {status}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def last_words(errors: Path) -> str:
    """The last line that a process wrote to `errors`, for a report."""
    lines = errors.read_text(errors="replace").splitlines() if errors.exists() else []
    return f" ({lines[-1][:300]})" if lines else ""


def wait_for_server(port: int) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise TimeoutError(f"no server on port {port}")
