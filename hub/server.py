"""The server: the application, and running it beside the caller."""

from __future__ import annotations

import errno
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub import pages
from hub.access import Authenticate, accept_any_token
from hub.answers import EXCEPTION_HANDLERS
from hub.chunked_uploads import ChunkedUploads
from hub.errors import PortOccupiedError
from hub.multipart import DEFAULT_PART_BYTES, MultipartUploads
from hub.request_ids import RequestIds
from hub.routes import accesses, accounts, commits, files, lfs, lfs_files, not_offered, refs, repos, xet
from hub.routes.paths import QuotedSlashes
from hub.state import HubState
from hub.storage import Storage
from hub.upload_links import UploadLinks

DEFAULT_PORT: Final = 8642
START_SECONDS: Final = 10.0
STOP_SECONDS: Final = 5

logger = logging.getLogger(__name__)


def create_app(
    storage_dir: Path, *, authenticate: Authenticate = accept_any_token, part_bytes: int = DEFAULT_PART_BYTES
) -> Starlette:
    """Returns the Hub as an application over `storage_dir`; `authenticate` says whose a token is.

    Large files of several times `part_bytes` are asked for in parts of that size.

    Raises:
        StorageUnusableError: the folder cannot be made or written.
    """
    routes = [
        *accounts.ROUTES,
        *not_offered.ROUTES,
        *repos.ROUTES,
        *accesses.ROUTES,
        *refs.ROUTES,
        *commits.ROUTES,
        *lfs.ROUTES,
        *lfs_files.ROUTES,
        *xet.ROUTES,
        *files.ROUTES,
        Route("/api/{rest:path}", _unknown_address, methods=["GET", "POST", "PUT", "DELETE"]),
        *pages.ROUTES,
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(RequestIds), Middleware(QuotedSlashes)],
        exception_handlers=dict(EXCEPTION_HANDLERS),
    )
    app.router.redirect_slashes = False
    storage = Storage(Path(storage_dir))
    multipart = MultipartUploads(storage.blobs, storage.root / "uploads", part_bytes=part_bytes)
    chunked = ChunkedUploads(storage.blobs, storage.root / "uploads")
    app.state.hub = HubState(storage, authenticate, UploadLinks(), multipart, chunked)
    return app


def _unknown_address(_request: Request) -> Response:
    raise HTTPException(404, "Sorry, the local Hub does not have this address.")


@contextmanager
def running(
    storage_dir: Path,
    *,
    port: int | None = None,
    host: str = "127.0.0.1",
    authenticate: Authenticate = accept_any_token,
) -> Iterator[str]:
    """Serves `storage_dir` while the context lasts, and yields the base URL.

    A hub of the same folder that already listens on the port is used as it is, and left running.

    Args:
        storage_dir: folder of the repositories.
        port: 0 takes a free one; without a port it is DEFAULT_PORT, or a free one where something else listens there.
        host: address to listen on.
        authenticate: says whose a token is.

    Raises:
        PortOccupiedError: something else listens on the port that was given.
        StorageUnusableError: the folder cannot be made or written.
    """
    storage_dir = Path(storage_dir).resolve()
    wanted = DEFAULT_PORT if port is None else port
    try:
        listener = _listen(host, wanted)
    except OSError as error:
        served = served_folder(host, wanted) if error.errno == errno.EADDRINUSE else None
        if served == storage_dir:
            logger.info("Using the hub that already serves %s on port %d", storage_dir, wanted)
            yield _url(host, wanted)
            return
        if port is not None or error.errno != errno.EADDRINUSE:
            raise _port_error(host, wanted, storage_dir, error, served) from error
        listener = _listen(host, 0)
        logger.warning(
            "Port %d is taken by %s: the local Hub of %s is at %s meanwhile.",
            wanted, _occupant(served), storage_dir, _url(host, listener.getsockname()[1]),
        )  # fmt: skip
    with closing(listener):
        app = create_app(storage_dir, authenticate=authenticate)
        with _serving(app, listener):
            yield _url(host, listener.getsockname()[1])


def served_folder(host: str, port: int, *, timeout_seconds: float = 5.0) -> Path | None:
    """Returns the storage folder of the hub on this port; None where something else answers, or nothing."""
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(f"{_url(host, port)}/api/local-hub", timeout=timeout_seconds) as response:
            answer = json.load(response)
    except (URLError, OSError, ValueError):
        return None
    folder = answer.get("storage_dir") if isinstance(answer, dict) else None
    return Path(folder) if isinstance(folder, str) else None


def server_config(app: Starlette) -> uvicorn.Config:
    """Returns a configuration that is quiet, and stops within seconds even while a client holds on."""
    return uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )


@contextmanager
def _serving(app: Starlette, listener: socket.socket) -> Iterator[None]:
    server = uvicorn.Server(server_config(app))
    thread = threading.Thread(target=server.run, args=([listener],), name="local-hub", daemon=True)
    thread.start()
    try:
        _await_start(server, thread)
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=2 * STOP_SECONDS)


def _await_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError(f"The local Hub did not start within {START_SECONDS:.0f} s.")
        time.sleep(0.01)


def _listen(host: str, port: int) -> socket.socket:
    """Returns a listening socket; listening at once leaves no gap in which another process could take the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns off Nagle's algorithm, which costs 40 ms a request.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def _port_error(host: str, port: int, storage_dir: Path, error: OSError, served: Path | None) -> PortOccupiedError:
    if error.errno != errno.EADDRINUSE:
        return PortOccupiedError(f"The local Hub cannot listen on {host}:{port} ({error.strerror}).")
    return PortOccupiedError(
        f"The local Hub needs port {port} for {storage_dir}, but {_occupant(served)} listens there."
        " Stop it, or choose another port."
    )


def _occupant(served: Path | None) -> str:
    return f"a hub of another folder ({served})" if served else "another program"


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
