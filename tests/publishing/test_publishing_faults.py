from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.server import create_app
from publishing.errors import HubError
from publishing.hub_client import Hub
from publishing.publication import Publication
from publishing.publisher import publish
from publishing.revision_names import MAIN
from tests.publishing.faulty_hub import Fault, FaultyHub
from tests.publishing.publications import REPO_ID, REVISION, SPACE_REPO_ID, TOKEN, hub_at, noon, serving

BRANCH_COMMIT = f"/commit/{REVISION}"
MAIN_COMMIT = f"/models/{REPO_ID}/commit/main"
SPACE_COMMIT = f"/spaces/{SPACE_REPO_ID}/commit/main"


@dataclass
class Behind:
    """A Hub behind a faulty door, and the door."""

    hub: Hub
    door: FaultyHub
    pauses: list[float]

    def count(self, method: str, path: str) -> int:
        return sum(request.startswith(method) and path in request for request in self.door.requests)


@pytest.fixture
def behind(tmp_path: Path, direct_client: None) -> Iterator[Behind]:
    door = FaultyHub(create_app(tmp_path / "hub"))
    pauses: list[float] = []
    with serving(door) as endpoint:
        yield Behind(hub_at(endpoint, pauses=pauses), door, pauses)


@pytest.mark.parametrize("path", [BRANCH_COMMIT, MAIN_COMMIT, SPACE_COMMIT])
def test_a_lost_answer_to_a_commit_is_resolved_by_looking_and_the_commit_is_sent_once(
    behind: Behind, publication: Publication, path: str
) -> None:
    behind.door.faults = [Fault("POST", path, "cut_after")]

    published = publish(behind.hub, publication, clock=noon)

    assert behind.count("POST", path) == 1
    _assert_whole(behind.hub, publication)
    titles = [commit.title for commit in behind.hub.api.list_repo_commits(REPO_ID, revision=published.revision)]
    assert titles == [f"Publish {REVISION}", "initial commit"]


@pytest.mark.parametrize("kind", ["cut_before", "answer"])
@pytest.mark.parametrize("path", [BRANCH_COMMIT, MAIN_COMMIT, SPACE_COMMIT])
def test_a_commit_that_did_not_arrive_is_sent_again(
    behind: Behind, publication: Publication, path: str, kind: str
) -> None:
    behind.door.faults = [Fault("POST", path, kind, status=503)]  # type: ignore[arg-type]

    publish(behind.hub, publication, clock=noon)

    assert behind.count("POST", path) == 2
    assert behind.pauses == [0.5]
    _assert_whole(behind.hub, publication)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("request_", ["POST /api/repos/create", "GET /refs", "GET /tree/"])
def test_a_hub_that_fails_for_a_moment_is_asked_again(
    behind: Behind, publication: Publication, request_: str, status: int
) -> None:
    method, path = request_.split()
    fault = Fault(method, path, "answer", status=status)
    behind.door.faults = [fault]

    publish(behind.hub, publication, clock=noon)

    assert fault.times == 0
    _assert_whole(behind.hub, publication)


@pytest.mark.parametrize("kind", ["cut_before", "answer"])
def test_a_manifest_that_cannot_be_read_for_a_moment_is_asked_for_again(
    behind: Behind, publication: Publication, kind: str
) -> None:
    publish(behind.hub, publication, clock=noon)
    fault = Fault("HEAD", "/resolve/", kind, status=503)  # type: ignore[arg-type]
    behind.door.faults = [fault]

    assert publish(behind.hub, publication, clock=noon).already_published
    assert fault.times == 0


@pytest.mark.parametrize(
    ("status", "way_out"),
    [
        (401, "Put a valid token with write access into the environment variable HF_TOKEN."),
        (403, "Give the token in HF_TOKEN write access to this repository, or set another publish.repo_id."),
        (404, "Check publish.endpoint and publish.repo_id"),
        (429, "The Hub asks for fewer requests"),
        (503, "The Hub failed; nothing is half published. Run again later."),
    ],
)
@pytest.mark.parametrize("path", ["/api/repos/create", BRANCH_COMMIT])
def test_a_hub_that_refuses_gives_one_message_with_the_way_out_and_nothing_on_main(
    behind: Behind, publication: Publication, path: str, status: int, way_out: str
) -> None:
    behind.door.faults = [Fault("POST", path, "answer", status=status, times=99)]

    with pytest.raises(HubError) as caught:
        publish(behind.hub, publication, clock=noon)

    message = str(caught.value)
    assert f"Received: HTTP {status}" in message
    assert behind.hub.endpoint in message
    assert way_out in message
    behind.door.faults = []
    if path == BRANCH_COMMIT:
        assert set(behind.hub.branches(REPO_ID, repo_type="model")) == {MAIN}, "the unused revision is removed"
        assert [file.path for file in behind.hub.tree(REPO_ID, repo_type="model", commit=MAIN)] == [".gitattributes"]


def test_a_hub_that_echoes_the_token_gets_it_neither_into_the_message_nor_into_the_traceback(
    behind: Behind, publication: Publication, caplog: pytest.LogCaptureFixture
) -> None:
    body = f'{{"error": "bad token {TOKEN}"}}'.encode()
    behind.door.faults = [Fault("POST", "/api/repos/create", "answer", status=401, body=body)]

    with caplog.at_level(logging.DEBUG), pytest.raises(HubError) as caught:
        publish(behind.hub, publication, clock=noon)
    logging.getLogger("test").error("failed", exc_info=caught.value)

    assert "bad token ***" in str(caught.value)
    assert caught.value.__cause__ is None
    assert TOKEN not in caplog.text.replace(body.decode(), "")


def test_a_stop_between_the_model_and_main_is_finished_by_the_next_run(
    behind: Behind, publication: Publication
) -> None:
    behind.door.faults = [Fault("POST", MAIN_COMMIT, "answer", status=403)]
    with pytest.raises(HubError):
        publish(behind.hub, publication, clock=noon)

    published = publish(behind.hub, publication, clock=noon)

    assert (published.revision, published.already_published) == (REVISION, True)
    assert set(behind.hub.branches(REPO_ID, repo_type="model")) == {MAIN, REVISION}
    _assert_whole(behind.hub, publication)


def test_a_space_that_is_refused_leaves_a_whole_model(behind: Behind, publication: Publication) -> None:
    behind.door.faults = [Fault("POST", SPACE_COMMIT, "answer", status=403, times=99)]

    with pytest.raises(HubError, match=r"commit \d+ files to local/tiny-demo"):
        publish(behind.hub, publication, clock=noon)

    plan = publication.plan(REVISION)
    assert plan.differences(behind.hub.tree(REPO_ID, repo_type="model", commit=MAIN)) == []


def _assert_whole(hub: Hub, publication: Publication) -> None:
    plan = publication.plan(REVISION)
    branches = hub.branches(REPO_ID, repo_type="model")
    assert set(branches) == {MAIN, REVISION}
    for commit in branches.values():
        assert plan.differences(hub.tree(REPO_ID, repo_type="model", commit=commit)) == []
    assert publication.space is not None
    space_plan = publication.space_plan(
        publication.space, revision=REVISION, commit=branches[REVISION], endpoint=hub.endpoint
    )
    assert space_plan.differences(hub.tree(SPACE_REPO_ID, repo_type="space", commit=MAIN)) == []
