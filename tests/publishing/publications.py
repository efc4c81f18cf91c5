"""What the tests publish, and through which client."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from huggingface_hub import HfApi
from starlette.types import ASGIApp

from modules.models.gpt2.family import GPT2
from publishing.card.facts import CardFacts
from publishing.exports import plan_files
from publishing.hub_client import Hub
from publishing.publication import Publication, SpaceTarget

TEMPLATE = Path(__file__).parents[2] / "space"
REPO_ID = "local/tiny"
SPACE_REPO_ID = "local/tiny-demo"
TOKEN = "hf_MarkedTokenThatMustNeverBeWritten"
REVISION = "v20261121-120000"


def noon() -> datetime:
    return datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def hub_at(endpoint: str, *, pauses: list[float] | None = None) -> Hub:
    """The Hub at `endpoint`, whose pauses are noted instead of waited for."""
    noted: list[float] = [] if pauses is None else pauses
    return Hub(HfApi(endpoint=endpoint, token=TOKEN), token_env="HF_TOKEN", sleep=noted.append)


def publication_of(
    model_folder: Path, *, license: str = "apache-2.0", space: bool = True, private: bool = False
) -> Publication:
    return Publication(
        repo_id=REPO_ID,
        files=plan_files(model_folder),
        facts=facts_of(model_folder, license=license),
        private=private,
        space=SpaceTarget(SPACE_REPO_ID, TEMPLATE) if space else None,
    )


def facts_of(model_folder: Path, *, license: str = "apache-2.0") -> CardFacts:
    exports = model_folder / "exports"
    return CardFacts(
        training=json.loads((exports / "training.json").read_text()),
        prompt=json.loads((exports / "prompt.json").read_text()),
        license=license,
        family=GPT2.published,
    )


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Any application on a free loopback port, in a thread of its own."""

    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
