"""Models and servers of the tests; none of them imports TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from serving.answering.model import Model, ModelFiles
from tests.serving.random_generator import write_random_revision, write_tiny_revision
from tests.serving.serving_process import Served, served


@pytest.fixture(scope="session")
def tiny_revision(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that answers "Paris, naïvely." to everything."""
    return write_tiny_revision(tmp_path_factory.mktemp("revision") / "tiny")


@pytest.fixture(scope="session")
def even_revision(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose choice is nearly even."""
    return write_tiny_revision(tmp_path_factory.mktemp("revision") / "even", chained=False)


@pytest.fixture(scope="session")
def long_revision(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose answers are as long as they may be."""
    return write_random_revision(tmp_path_factory.mktemp("revision") / "long")


@pytest.fixture(scope="module")
def even_model(even_revision: Path) -> Model:
    return Model(ModelFiles.find(even_revision), lanes=2)


@pytest.fixture(scope="module")
def long_model(long_revision: Path) -> Model:
    return Model(ModelFiles.find(long_revision), lanes=2)


@pytest.fixture(scope="module")
def tiny_server(tiny_revision: Path) -> Iterator[Served]:
    with served(tiny_revision) as running:
        yield running


@pytest.fixture(scope="module")
def even_server(even_revision: Path) -> Iterator[Served]:
    with served(even_revision) as running:
        yield running


@pytest.fixture(scope="module")
def long_server(long_revision: Path) -> Iterator[Served]:
    with served(long_revision) as running:
        yield running


@pytest.fixture
def tiny_client(tiny_server: Served) -> Iterator[httpx.Client]:
    with tiny_server.client() as client:
        yield client


@pytest.fixture
def long_client(long_server: Served) -> Iterator[httpx.Client]:
    with long_server.client() as client:
        yield client
