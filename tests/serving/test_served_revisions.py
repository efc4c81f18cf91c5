"""Where the model comes from: a folder, a revision of a Hub, the local Hub's newest; and a branch that moves."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from hub import server as hub_server
from publishing.client_settings import loopback_client
from publishing.errors import HubError
from publishing.publisher import publish
from serving.answering.errors import ModelFolderError
from serving.errors import SourceError
from serving.sources import find_revision, parse_source
from tests.publishing.publications import hub_at, publication_of
from tests.publishing.tiny_model import ANSWER, write_model
from tests.serving.serving_process import server_process

QUESTION = {"instruction": "What is the capital of France?"}
FORM = "ctranslate2"


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("artifacts")
    return write_model(folder / "first"), write_model(folder / "second", chained=False, parameters=7)


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return tmp_path / "hub"


@pytest.fixture
def endpoint(storage: Path) -> Iterator[str]:
    with loopback_client(), hub_server.running(storage, port=0) as address:
        yield address


def publish_at(endpoint: str, model: Path, *, minute: int) -> str:
    """Publishes a model and returns its revision."""
    moment = datetime(2026, 11, 21, 12, minute, tzinfo=UTC)
    published = publish(hub_at(endpoint), publication_of(model, space=False), clock=lambda: moment)
    return str(published.revision)


def test_a_folder_is_a_revisions_or_a_trainers(tiny_revision: Path, artifacts: tuple[Path, Path]) -> None:
    for folder in (tiny_revision, artifacts[0]):
        source = parse_source(str(folder), endpoint="local", storage_dir=folder, work_dir=folder)
        found = find_revision(source, form=FORM)
        assert found.fingerprint.startswith("sha256-")
        assert found.commit is None
        assert found.name == folder.name


def test_another_model_has_another_fingerprint(tiny_revision: Path, even_revision: Path) -> None:
    def fingerprint(folder: Path) -> str:
        source = parse_source(str(folder), endpoint="local", storage_dir=folder, work_dir=folder)
        return find_revision(source, form=FORM).fingerprint

    assert fingerprint(tiny_revision) == fingerprint(tiny_revision) != fingerprint(even_revision)


def test_a_folder_without_the_form_is_refused(tiny_revision: Path) -> None:
    source = parse_source(str(tiny_revision), endpoint="local", storage_dir=tiny_revision, work_dir=tiny_revision)
    with pytest.raises(ModelFolderError, match=r"without ctranslate2_float32/model\.bin"):
        find_revision(source, form="ctranslate2_float32")


@pytest.mark.parametrize("text", ["name", "a/b/c", "./a/b", "/a/b", "../b"])
def test_what_is_neither_a_folder_nor_a_repository_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="A model is a folder, or namespace/name@revision on a Hub"):
        parse_source(text, endpoint="local", storage_dir=tmp_path, work_dir=tmp_path)


def test_a_revision_is_downloaded_once_and_named_by_its_date(
    endpoint: str, artifacts: tuple[Path, Path], tmp_path: Path
) -> None:
    first = publish_at(endpoint, artifacts[0], minute=0)
    second = publish_at(endpoint, artifacts[1], minute=1)

    def find(text: str) -> tuple[str, str]:
        source = parse_source(text, endpoint=endpoint, storage_dir=tmp_path, work_dir=tmp_path / "models")
        found = find_revision(source, form=FORM)
        return found.fingerprint, str(found.commit)

    assert find("local/tiny")[0] == find(f"local/tiny@{second}")[0] == second
    assert find(f"local/tiny@{first}")[0] == first
    assert find(f"local/tiny@{find(f'local/tiny@{first}')[1]}")[0] == first
    kept = [path.name for path in (tmp_path / "models" / "local--tiny").iterdir()]
    assert len(kept) == 3  # `main` is a commit of its own
    assert all(name.endswith("-ctranslate2") for name in kept)
    with pytest.raises(HubError, match="look up no-such-revision of local/tiny"):
        find("local/tiny@no-such-revision")


def test_by_default_the_local_hubs_newest_model_is_served(
    endpoint: str, storage: Path, artifacts: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=r"A model must be published\. Received: a Hub without one"):
        find_revision(parse_source(None, endpoint=endpoint, storage_dir=storage, work_dir=tmp_path), form=FORM)
    revision = publish_at(endpoint, artifacts[0], minute=0)
    found = find_revision(parse_source(None, endpoint=endpoint, storage_dir=storage, work_dir=tmp_path), form=FORM)

    assert (found.name, found.fingerprint) == ("local/tiny", revision)


def test_the_local_hub_need_not_run(artifacts: tuple[Path, Path], tmp_path: Path) -> None:
    with loopback_client(), hub_server.running(tmp_path / "hub", port=0) as address:
        revision = publish_at(address, artifacts[0], minute=0)
    with server_process("--storage-dir", str(tmp_path / "hub"), folder=tmp_path) as server:
        answer = httpx.post(f"{server.url}/generate", json=QUESTION, trust_env=False).json()

    assert server.lines[0].startswith(f"Serving local/tiny at {revision} on http://127.0.0.1:")
    assert (answer["response"], answer["model"], answer["revision"]) == (ANSWER, "local/tiny", revision)


def test_a_branch_that_moves_is_followed_without_an_interruption(
    endpoint: str, artifacts: tuple[Path, Path], tmp_path: Path
) -> None:
    first = publish_at(endpoint, artifacts[0], minute=0)
    arguments = ("local/tiny", "--endpoint", endpoint, "--follow", "0.2")
    seen: list[str] = []
    with (
        server_process(*arguments, folder=tmp_path) as server,
        httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client,
    ):
        chat = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 8}

        def ask() -> str:
            answer = client.post("/v1/chat/completions", json=chat)
            assert answer.status_code == 200, answer.text
            return str(answer.json()["system_fingerprint"])

        seen.append(ask())
        second = publish_at(endpoint, artifacts[1], minute=1)
        deadline = time.monotonic() + 30
        while seen[-1] != second and time.monotonic() < deadline:
            seen.append(ask())
        figures = client.get("/metrics").text
        named = client.get("/v1/models").json()["data"][0]["revision"]

    assert seen == [first] * seen.count(first) + [second]
    assert "serving_model_swaps_total 1.0" in figures
    assert f'revision="{second}"' in figures
    assert f'revision="{first}"' not in figures
    assert named == second


def test_a_hub_that_does_not_answer_while_it_is_followed_changes_nothing(
    artifacts: tuple[Path, Path], tmp_path: Path
) -> None:
    with loopback_client(), hub_server.running(tmp_path / "hub", port=0) as endpoint:
        revision = publish_at(endpoint, artifacts[0], minute=0)
        stack = server_process("local/tiny", "--endpoint", endpoint, "--follow", "0.1", folder=tmp_path)
        server = stack.__enter__()
    try:
        deadline = time.monotonic() + 30
        while "could not be taken up" not in server.log.read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        answer = httpx.post(f"{server.url}/generate", json=QUESTION, trust_env=False).json()
        (line, *_) = [line for line in server.logged() if "could not be taken up" in line["message"]]
    finally:
        stack.__exit__(None, None, None)

    assert (answer["response"], answer["revision"]) == (ANSWER, revision)
    assert line["error"] == "HubError"
    assert json.dumps(line)
