"""Settings of the server: what it serves and how much it takes on."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from serving.answering.scheduler import Limits

DEFAULT_PORT = 8000
LOOPBACK = ("127.0.0.1", "::1", "localhost")
KEYS_ENV = "SERVING_API_KEYS"


def usable_cores() -> int:
    """Returns the cores that this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class ClientLimits:
    """Limits of one client: of one API key, or of one address where there are no keys."""

    requests_per_minute: int | None = None  # None: any number
    answers_at_once: int = 32  # waiting or in the making


@dataclass(frozen=True)
class ServingSettings:
    """Settings of the server.

    Attributes:
      host: address to listen on; another one than loopback needs API keys.
      port: 0 takes a free one.
      limits: of the scheduler.
      threads: of each lane.
      client: limits of one client.
      body_bytes: of a request, at most.
      grace_seconds: that answers in the making have to finish when the server is told to end.
      form: which exported form is asked.
      follow_seconds: between looks whether `main` has changed; None looks never.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    limits: Limits = field(default_factory=lambda: Limits(lanes=max(2, usable_cores())))
    threads: int = 1
    client: ClientLimits = ClientLimits()
    body_bytes: int = 256 * 1024
    grace_seconds: float = 60.0
    form: str = "ctranslate2"
    follow_seconds: float | None = None

    @property
    def is_loopback(self) -> bool:
        """Returns whether nobody but this machine can reach the server."""
        return self.host in LOOPBACK


@dataclass(frozen=True)
class ModelSource:
    """Place that the model comes from.

    Attributes:
      folder: of the model; None for a revision on a Hub.
      repo_id: model repository; None for the one that was published last.
      revision: branch, tag or commit.
      endpoint: `local` for the local Hub, or a Hub's address.
      storage_dir: folder of the local Hub.
      work_dir: where downloaded revisions are kept.
    """

    folder: Path | None = None
    repo_id: str | None = None
    revision: str = "main"
    endpoint: str = "local"
    storage_dir: Path = Path("output/hub")
    work_dir: Path = Path("output/serving")
