"""Running servers for the tests: in a thread of this process, and as a process of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from serving.keys import ApiKeys
from serving.server import GracefulServer, listen, server_config
from serving.service import Service
from serving.settings import ServingSettings
from serving.sources import find_revision, parse_source

ROOT = Path(__file__).parents[2]
SETTINGS = replace(ServingSettings(), port=0, grace_seconds=20.0)
NO_KEYS = ApiKeys()


@dataclass
class Served:
    """A server that listens."""

    url: str
    service: Service
    server: GracefulServer

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, **options)


@contextmanager
def served(folder: Path, settings: ServingSettings = SETTINGS, *, keys: ApiKeys = NO_KEYS) -> Iterator[Served]:
    """Serves a model folder from a thread, on a free port."""
    service = Service(settings, keys)
    source = parse_source(str(folder), endpoint="local", storage_dir=folder, work_dir=folder)
    service.deploy(find_revision(source, form=settings.form))
    with closing(listen(settings.host, settings.port)) as listener:
        server = GracefulServer(server_config(service), service)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", service, server)
        finally:
            server.should_exit = True
            thread.join()
            service.close()


@dataclass
class Process:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    lines: list[str]  # of its standard output
    log: Path

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGTERM)


@contextmanager
def server_process(
    *arguments: str, folder: Path, environment: dict[str, str] | None = None, keep_port: bool = False
) -> Iterator[Process]:
    """Starts `python -m serving` and waits until its model answers."""
    log = folder / f"log-{time.monotonic_ns()}"
    command = [
        sys.executable,
        "-m",
        "serving",
        *arguments,
        *(() if keep_port else ("--port", "0")),
        "--work-dir",
        str(folder / "models"),
    ]
    with log.open("w") as stderr:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | (environment or {}), stdout=subprocess.PIPE, stderr=stderr, text=True
        )
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        assert first.startswith("Serving "), log.read_text()
        url = first.split(" on ")[1].split()[0]
        yield Process(process, url, [first, process.stdout.readline()], log)
    finally:
        if process.poll():  # it has failed by itself: pytest shows this if the test fails too
            sys.stderr.write(f"The server ended with status {process.returncode}:\n{log.read_text()[-4000:]}")
        process.kill()
        process.wait()
        process.stdout.close()


@dataclass
class Counted:
    """Figures of /metrics, by name and labels."""

    figures: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, client: httpx.Client) -> Counted:
        lines = [line for line in client.get("/metrics").text.splitlines() if not line.startswith("#")]
        return cls({line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines})
