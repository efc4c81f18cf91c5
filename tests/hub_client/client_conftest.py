"""What the client's tests take for granted and its source distribution leaves out; laid beside them as their conftest.

It is read with the client's own interpreter and knows nothing of this project.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from huggingface_hub import HfApi, RepoUrl, constants
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import _auth, _detect_agent

from .testing_constants import ENDPOINT_PRODUCTION, ENDPOINT_STAGING, TOKEN, USER
from .testing_utils import repo_name

RepoFactory = Callable[..., RepoUrl]

_PLACES = {
    "HF_HOME": ".",
    "HF_HUB_CACHE": "hub",
    "HUGGINGFACE_HUB_CACHE": "hub",
    "HF_XET_CACHE": "xet",
    "HF_ASSETS_CACHE": "assets",
    "HF_TOKEN_PATH": "token",
    "HF_STORED_TOKENS_PATH": "stored_tokens",
}


@pytest.fixture(autouse=True)
def _home_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives each test an empty cache and no token."""
    home = tmp_path_factory.mktemp("home")
    for name, place in _PLACES.items():
        monkeypatch.setattr(constants, name, str(home / place))


@pytest.fixture(autouse=True)
def _same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the client from asking who started it, from colours and from warnings of experiments."""
    monkeypatch.setattr(_detect_agent, "_registry", _detect_agent._EMPTY_REGISTRY)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_EXPERIMENTAL_WARNING", True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(autouse=True)
def _announced_warnings(request: pytest.FixtureRequest) -> Iterator[None]:
    """Expects the warnings that a test announces."""
    names = [name for mark in request.node.iter_markers("deprecated") for name in mark.args]
    if not names:
        yield
        return
    with pytest.warns(FutureWarning) as caught:
        yield
    assert all(any(f"'{name}'" in str(warning.message) for warning in caught) for name in names)


@pytest.fixture(autouse=True)
def _tokens_are_not_remembered() -> None:
    """Lets each test find out anew whether a token must be renewed."""
    _auth._OAUTH_REFRESH_CACHE = None
    _auth._OAUTH_REFRESH_WARNED = False


@pytest.fixture(scope="session")
def api() -> HfApi:
    return HfApi(endpoint=ENDPOINT_STAGING, token=TOKEN)


@pytest.fixture(scope="session")
def api_prod() -> HfApi:
    return HfApi(endpoint=ENDPOINT_PRODUCTION)


@pytest.fixture
def new_repo_id(api: HfApi) -> Iterator[str]:
    """A name for a repository that is gone after the test."""
    repo_id = f"{USER}/{repo_name()}"
    yield repo_id
    api.delete_repo(repo_id, missing_ok=True)


@pytest.fixture
def repo_factory(api: HfApi) -> Iterator[RepoFactory]:
    """Makes repositories that are gone after the test."""
    made: list[RepoUrl] = []

    def make(repo_type: str = "model", **options: object) -> RepoUrl:
        defaults: dict[str, object] = {"repo_id": repo_name(prefix=repo_type)}
        if repo_type == "space":
            defaults["space_sdk"] = "gradio"
        made.append(api.create_repo(repo_type=repo_type, **(defaults | options)))
        return made[-1]

    yield make
    for repo in made:
        try:
            api.delete_repo(repo.repo_id, repo_type=repo.repo_type)
        except HfHubHTTPError:
            continue  # the test deleted or moved it
