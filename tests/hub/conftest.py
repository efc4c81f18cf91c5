"""A real server on a free port, and the real client."""

from __future__ import annotations

import os

# The client reads these when it is imported.
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi

from hub.server import running

TOKEN = "hf_a_token_of_the_tests"

_numbers = count()


@pytest.fixture(scope="session")
def storage_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("storage") / "hub"


@pytest.fixture(scope="session")
def url(storage_dir: Path) -> Iterator[str]:
    """One server for all tests; each test takes a repository of its own."""
    with running(storage_dir, port=0) as address:
        yield address


@pytest.fixture
def api(url: str) -> HfApi:
    return HfApi(endpoint=url, token=TOKEN)


@pytest.fixture
def anonymous(url: str) -> HfApi:
    return HfApi(endpoint=url, token=False)


@pytest.fixture
def name() -> str:
    """A repository's name that no other test uses."""
    return f"local/model-{next(_numbers)}"


@pytest.fixture
def repo(api: HfApi, name: str) -> str:
    api.create_repo(name)
    return name


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    """For requests that the client would never send."""
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False) as client:
        yield client
