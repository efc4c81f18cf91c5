"""A tiny model, and a running local Hub that the real client reaches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import server
from publishing.client_settings import loopback_client
from publishing.hub_client import Hub
from publishing.publication import Publication
from tests.publishing.publications import hub_at, publication_of
from tests.publishing.tiny_model import write_model


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def direct_client() -> Iterator[None]:
    with loopback_client():
        yield


@pytest.fixture
def endpoint(tmp_path: Path, direct_client: None) -> Iterator[str]:
    with server.running(tmp_path / "hub", port=0) as address:
        yield address


@pytest.fixture
def hub(endpoint: str) -> Hub:
    return hub_at(endpoint)


@pytest.fixture
def publication(model_folder: Path) -> Publication:
    return publication_of(model_folder)
