"""Publications at once: each revision is whole, and `main` and the Space end on the later one."""

from __future__ import annotations

import dataclasses
from asyncio import get_running_loop
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from hub.server import create_app
from publishing.files import PlannedFile
from publishing.hub_client import Hub
from publishing.publication import Publication, Published
from publishing.publisher import publish
from publishing.revision_names import MAIN, dated_revisions
from tests.publishing.publications import REPO_ID, REVISION, SPACE_REPO_ID, hub_at, noon, serving

LATER = "v20261121-120001"


class Interrupted:
    """The server, and what another publisher does in the moment before a request is taken up."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.moment = ("", "")
        self.other: Callable[[], object] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.other and (scope["method"], True) == (self.moment[0], scope["path"].endswith(self.moment[1])):
            other, self.other = self.other, None
            with ThreadPoolExecutor(1) as pool:
                await get_running_loop().run_in_executor(pool, other)
        await self.app(scope, receive, send)


@pytest.fixture
def door(tmp_path: Path) -> Interrupted:
    return Interrupted(create_app(tmp_path / "hub"))


@pytest.fixture
def hub(door: Interrupted, direct_client: None) -> Iterator[Hub]:
    with serving(door) as endpoint:
        yield hub_at(endpoint)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/repos/create"),
        ("GET", f"/{REPO_ID}/refs"),
        ("POST", f"/branch/{REVISION}-unfinished"),
        ("POST", f"/preupload/{REVISION}-unfinished"),
        ("POST", f"/commit/{REVISION}-unfinished"),
        ("POST", f"/branch/{REVISION}"),
        ("DELETE", f"/branch/{REVISION}-unfinished"),
        ("POST", f"/models/{REPO_ID}/commit/main"),
        ("GET", f"/spaces/{SPACE_REPO_ID}/refs"),
        ("POST", f"/spaces/{SPACE_REPO_ID}/commit/main"),
    ],
)
def test_a_publication_in_the_midst_of_another_leaves_both_whole(
    door: Interrupted, hub: Hub, publication: Publication, method: str, path: str
) -> None:
    other = with_weights(publication, b"other weights\0")
    results: list[Published] = []
    door.moment = (method, path)
    door.other = lambda: results.append(publish(hub, other, clock=lambda: noon() + timedelta(seconds=1)))

    outer = publish(hub, publication, clock=noon)

    (inner,) = results
    assert_both_whole(hub, outer, inner)


def test_publications_that_run_side_by_side_are_all_whole(hub: Hub, publication: Publication) -> None:
    models = [with_weights(publication, bytes([number]) * 100) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        published = list(pool.map(lambda model: publish(hub, model, clock=noon), models))
    assert_both_whole(hub, *published)


def test_an_earlier_model_that_is_published_again_keeps_its_revision_and_main_returns_to_it(
    hub: Hub, publication: Publication
) -> None:
    first = publish(hub, publication, clock=noon)
    publish(hub, with_weights(publication, b"newer\0"), clock=lambda: noon() + timedelta(hours=1))

    again = publish(hub, publication, clock=lambda: noon() + timedelta(hours=2))

    assert (again.revision, again.commit, again.already_published, again.on_main) == (
        first.revision, first.commit, True, True
    )  # fmt: skip
    assert first.plan.differences(hub.tree(REPO_ID, repo_type="model", commit=MAIN)) == []
    assert again.space is not None


def with_weights(publication: Publication, weights: bytes) -> Publication:
    files = tuple(
        PlannedFile.from_bytes(file.path, weights) if file.path == "model.safetensors" else file
        for file in publication.files
    )
    return dataclasses.replace(publication, files=files)


def assert_both_whole(hub: Hub, *published: Published) -> None:
    branches = hub.branches(REPO_ID, repo_type="model")
    revisions = sorted(result.revision for result in published)
    assert set(branches) == {MAIN, *revisions}
    assert dated_revisions(branches) == revisions
    assert len(set(revisions)) == len(published)
    for result in published:
        assert branches[result.revision] == result.commit
        assert result.plan.differences(hub.tree(REPO_ID, repo_type="model", commit=result.commit)) == []
    newest = max(published, key=lambda result: result.revision)
    assert newest.plan.differences(hub.tree(REPO_ID, repo_type="model", commit=MAIN)) == []
    app = hub.read_file(SPACE_REPO_ID, path="app.py", commit=MAIN, repo_type="space").decode()
    assert f'MODEL_VERSION = "{newest.revision}"\nSHA = "{newest.commit}"' in app
