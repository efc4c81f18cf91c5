"""Publishing needs no HF_HUB_DISABLE_XET, whatever the Hub at the other end has."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants
from starlette.routing import Route

from hub.server import create_app
from publishing.connection import connect, is_public
from publishing.publication import Publication
from publishing.publisher import publish
from publishing.settings import HubSettings
from tests.publishing.publications import REPO_ID, noon, serving


@pytest.fixture(autouse=True)
def _as_a_user_starts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    monkeypatch.setenv("MY_TOKEN", "hf_mine")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_a_hub_without_xet_is_published_to(tmp_path: Path, publication: Publication) -> None:
    app = create_app(tmp_path / "hub")
    app.router.routes = [route for route in app.router.routes if not (isinstance(route, Route) and "xet" in route.path)]
    with serving(app) as endpoint, connect(HubSettings(endpoint=endpoint, token_env="MY_TOKEN")) as hub:
        publish(hub, publication, clock=noon)
        files = HfApi(endpoint=endpoint, token=False).model_info(REPO_ID, files_metadata=True).siblings or []
    assert any(file.lfs for file in files)
    assert constants.HF_HUB_DISABLE_XET is False


@pytest.mark.parametrize(
    ("endpoint", "public"),
    [
        ("https://huggingface.co", True),
        ("https://hub-ci.huggingface.co", True),
        ("https://hf.co", True),
        ("https://huggingface.co.example.org", False),
        ("https://myhuggingface.co", False),
        ("http://127.0.0.1:8642", False),
    ],
)
def test_only_the_public_hub_is_known_to_have_xet(endpoint: str, public: bool) -> None:
    assert is_public(endpoint) is public
