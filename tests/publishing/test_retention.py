from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from huggingface_hub import CommitOperationAdd

from publishing.hub_client import Hub
from publishing.publication import Publication, Published
from publishing.publisher import publish
from publishing.retention import old_revisions
from publishing.revision_names import MAIN, revision_at, unfinished_branch
from tests.publishing.publications import REPO_ID, noon
from tests.publishing.test_two_publishers import with_weights

NAMES = [f"v20261121-12000{second}" for second in range(5)]


@pytest.mark.parametrize(
    ("keep", "in_use", "expected"),
    [
        (0, [], []),
        (5, [], []),
        (9, [], []),
        (2, [], NAMES[:3]),
        (1, [NAMES[1]], [NAMES[0], NAMES[2], NAMES[3]]),
    ],
)
def test_all_but_the_newest_go_and_never_one_in_use(keep: int, in_use: list[str], expected: list[str]) -> None:
    branches = [*reversed(NAMES), "main", "experiment", f"{NAMES[0]}-unfinished"]
    assert old_revisions(branches, keep=keep, in_use=in_use) == expected


def test_the_newest_two_of_four_publications_stay(hub: Hub, publication: Publication) -> None:
    published = [_publish(hub, publication, number, keep_revisions=2) for number in range(4)]

    assert set(hub.branches(REPO_ID, repo_type="model")) == {MAIN, *(result.revision for result in published[2:])}
    assert [result.deleted_revisions for result in published] == [
        (), (), (published[0].revision,), (published[1].revision,)
    ]  # fmt: skip


def test_a_card_tells_earlier_revisions_and_stays_the_same_when_they_are_gone(
    hub: Hub, publication: Publication
) -> None:
    published = [_publish(hub, publication, number, keep_revisions=1) for number in range(3)]
    again = _publish(hub, publication, 2, keep_revisions=1)

    assert (again.revision, again.commit, again.already_published) == (published[2].revision, published[2].commit, True)
    assert set(hub.branches(REPO_ID, repo_type="model")) == {MAIN, published[2].revision}
    card = hub.read_file(REPO_ID, path="README.md", commit=MAIN).decode()
    assert f"/tree/{published[1].revision}), commit `{published[1].commit[:12]}`" in card
    assert published[0].revision not in card, "it was gone when this one was published"


def test_a_revision_that_another_space_runs_stays(hub: Hub, publication: Publication) -> None:
    assert publication.space is not None
    other = dataclasses.replace(publication.space, repo_id="local/another-demo")
    first = publish(hub, dataclasses.replace(publication, space=other), clock=noon)

    later = [_publish(hub, publication, number, keep_revisions=1) for number in (1, 2)]

    branches = hub.branches(REPO_ID, repo_type="model")
    assert set(branches) == {MAIN, first.revision, later[1].revision}


def test_nothing_is_deleted_while_a_space_does_not_tell_what_it_runs(
    hub: Hub, publication: Publication, caplog: pytest.LogCaptureFixture
) -> None:
    hub.api.create_repo("local/by-hand", repo_type="space", space_sdk="gradio")
    card = f"---\ntitle: x\nemoji: x\ncolorFrom: red\ncolorTo: red\nsdk: gradio\nmodels:\n- {REPO_ID}\n---\n".encode()
    additions = [CommitOperationAdd("README.md", card)]
    hub.api.create_commit("local/by-hand", additions, commit_message="mine", repo_type="space")

    published = [_publish(hub, publication, number, keep_revisions=1) for number in range(2)]

    assert set(hub.branches(REPO_ID, repo_type="model")) == {MAIN, *(result.revision for result in published)}
    assert "the Space local/by-hand does not tell which one it runs" in caplog.text


@pytest.mark.parametrize(("age", "taken_over"), [(timedelta(minutes=5), True), (timedelta(hours=2), False)])
def test_a_branch_that_a_dead_publisher_left_is_taken_over_or_when_old_removed(
    hub: Hub, publication: Publication, age: timedelta, taken_over: bool
) -> None:
    hub.api.create_repo(REPO_ID)
    left = revision_at(noon() - age)
    hub.api.create_branch(REPO_ID, branch=unfinished_branch(left))

    published = publish(hub, publication, clock=noon)

    assert published.revision == (left if taken_over else revision_at(noon()))
    assert set(hub.branches(REPO_ID, repo_type="model")) == {MAIN, published.revision}


def _publish(hub: Hub, publication: Publication, number: int, *, keep_revisions: int) -> Published:
    changed = dataclasses.replace(with_weights(publication, bytes([number, 0])), keep_revisions=keep_revisions)
    return publish(hub, changed, clock=lambda: noon() + timedelta(minutes=number))
