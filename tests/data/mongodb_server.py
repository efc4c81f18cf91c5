"""A MongoDB server for tests: SecantusDB, which speaks MongoDB's wire protocol, in an environment of its own.

It is GPL-2.0 and wants packages that the project does not have, so it is no dependency: `make test-mongodb` makes
`.venv-mongodb`, and the tests start it as a process of its own.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pymongo import MongoClient

EXECUTABLE = Path(os.environ.get("MONGODB_TEST_SERVER", Path(__file__).parents[2] / ".venv-mongodb/bin/secantusd-py"))


@contextmanager
def running(*flags: str, storage: Path | None = None) -> Iterator[int]:
    """Yields the port of a server that answers."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        place = storage or Path(folder)
        command = [str(EXECUTABLE), "--port", str(port), "--storage-path", str(place / "data"), "--log-level", "ERROR"]
        with (place / "log").open("w") as log:
            server = subprocess.Popen([*command, "--standalone", *flags], stdout=log, stderr=log, cwd=place)
        try:
            with MongoClient(f"mongodb://127.0.0.1:{port}", serverSelectionTimeoutMS=60_000) as client:
                client.admin.command("ping")
            yield port
        finally:
            server.terminate()
            server.wait(30)
