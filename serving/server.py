"""Runs the server: loads the model while it listens already, follows `main`, and ends without cutting an answer."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing
from types import FrameType

import uvicorn

from serving.app import create_app
from serving.errors import SettingsError
from serving.logs import log
from serving.service import Service
from serving.settings import ModelSource, ServingSettings
from serving.sources import Revision, commit_of, find_revision

# Longer than clients and proxies keep an idle connection, so that none is closed while a request is on its way.
KEEP_ALIVE_SECONDS = 75
logger = logging.getLogger(__name__)


class GracefulServer(uvicorn.Server):
    """A server that goes on listening while it ends: answers in the making finish, new requests get 503.

    Args:
      config: of uvicorn.
      service: which is told that the end has begun.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._end_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begins the end at the first signal, and ends at once at the second."""
        if self._end_at is not None:
            self.force_exit = self.should_exit = True
            return
        self._service.is_draining = True
        self._end_at = time.monotonic() + self._service.settings.grace_seconds
        log("ending", answering=self._service.in_flight)

    async def on_tick(self, counter: int) -> bool:
        """Ends once nothing is in flight, or the time of grace is over."""
        if self._end_at is not None and (self._service.in_flight == 0 or time.monotonic() > self._end_at):
            self.should_exit = True
        return await super().on_tick(counter)


def listen(host: str, port: int) -> socket.socket:
    """Returns a listening socket.

    Raises:
      SettingsError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns off Nagle's algorithm, which costs 40 ms a request.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"The server needs a free address. Received: {host}:{port} ({error.strerror}). Choose another --port."
        ) from error
    return listener


def run(source: ModelSource, service: Service, *, tell: Callable[[str], None]) -> int:
    """Serves until it is told to end, and returns the exit status.

    Args:
      source: of the model.
      service: the server's state.
      tell: takes lines for the person who started it.
    """
    settings = service.settings
    with closing(listen(settings.host, settings.port)) as listener:
        server = GracefulServer(server_config(service), service)
        loader = _Loader(source, service, server, tell, address=_url(settings.host, listener.getsockname()[1]))
        loader.start()
        server.run([listener])
        loader.stop()
    service.close()
    if loader.error is not None:
        raise loader.error
    return 0


class _Loader(threading.Thread):
    """Loads the model, and then looks whether its branch has moved."""

    def __init__(
        self,
        source: ModelSource,
        service: Service,
        server: uvicorn.Server,
        tell: Callable[[str], None],
        *,
        address: str,
    ) -> None:
        super().__init__(name="loader", daemon=True)
        self.error: Exception | None = None
        self._source = source
        self._service = service
        self._server = server
        self._tell = tell
        self._address = address
        self._stopped = threading.Event()

    def run(self) -> None:
        """Loads, tells, follows; an error of loading ends the server."""
        settings = self._service.settings
        try:
            revision = find_revision(self._source, form=settings.form)
            self._service.deploy(revision)
        except Exception as error:  # noqa: BLE001 - handed to whoever started the server
            self.error = error
            self._server.should_exit = True
            return
        self._tell(f"Serving {revision.name} at {revision.fingerprint} on {self._address} (see {self._address}/docs)")
        self._tell(self._service.deployment.model.arithmetic.sentence())
        if settings.follow_seconds is not None and revision.commit is not None:
            self._follow(revision, settings)

    def stop(self) -> None:
        """Has it end, and waits for that."""
        self._stopped.set()
        self.join()

    def _follow(self, revision: Revision, settings: ServingSettings) -> None:
        assert settings.follow_seconds is not None
        while not self._stopped.wait(settings.follow_seconds):
            try:
                if commit_of(self._source, revision.name) == revision.commit:
                    continue
                source = ModelSource(
                    repo_id=revision.name,
                    revision=self._source.revision,
                    endpoint=self._source.endpoint,
                    storage_dir=self._source.storage_dir,
                    work_dir=self._source.work_dir,
                )
                revision = find_revision(source, form=settings.form)
                self._service.deploy(revision)
            except Exception:
                logger.exception("A changed revision could not be taken up; the one before goes on answering")


def server_config(service: Service) -> uvicorn.Config:
    """Returns a configuration that is quiet and lets answers finish."""
    return uvicorn.Config(
        create_app(service),
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, int(service.settings.grace_seconds)),
    )


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
