"""What nothing refers to goes, after a day; whatever a client can see stays whole."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hub import garbage
from hub.garbage import Removed, collect
from hub.manifests import FileEntry, lfs_entry
from hub.names import repo_id
from hub.repository import BRANCHES, TAGS, CommitMessage, Repository
from hub.storage import Storage

DAY = 24 * 3600


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "hub")


@pytest.fixture
def repository(storage: Storage) -> Repository:
    return storage.create(repo_id("models", "local", "model"), author="local", private=False)


def test_an_upload_that_no_commit_followed_goes_after_a_day(storage: Storage, repository: Repository) -> None:
    sha256 = storage.blobs.put(b"abandoned")
    repository.note_object(sha256)

    assert collect(storage) == Removed(0, 0, 0)
    assert collect(storage, clock=tomorrow) == Removed(0, 1, 9)
    assert storage.blobs.size(sha256) is None
    assert not repository.has_object(sha256)
    assert_whole(storage)


def test_what_a_deleted_branch_alone_held_goes_and_what_others_share_stays(
    storage: Storage, repository: Repository
) -> None:
    shared, own = storage.blobs.put(b"shared"), storage.blobs.put(b"its own")
    repository.add_ref(BRANCHES, "v1", "main")
    commit(storage, repository, "v1", shared=shared, own=own)
    commit(storage, repository, "main", shared=shared)
    repository.remove_ref(BRANCHES, "v1")

    assert collect(storage, dry_run=True, clock=tomorrow) == Removed(1, 1, 7)
    assert collect(storage, clock=tomorrow) == Removed(1, 1, 7)
    assert (storage.blobs.size(shared), storage.blobs.size(own)) == (6, None)
    assert collect(storage, clock=tomorrow) == Removed(0, 0, 0)
    assert_whole(storage)


def test_older_commits_of_a_branch_stay_unless_their_history_is_to_be_dropped(
    storage: Storage, repository: Repository
) -> None:
    old, tagged, new = (storage.blobs.put(content) for content in (b"old", b"tagged", b"new"))
    commit(storage, repository, "main", weights=old)
    commit(storage, repository, "main", weights=tagged)
    repository.add_ref(TAGS, "v1", "main")
    commit(storage, repository, "main", weights=new)

    assert collect(storage, clock=tomorrow) == Removed(0, 0, 0)
    assert collect(storage, with_history=True, clock=tomorrow) == Removed(2, 1, 3)
    assert storage.blobs.size(old) is None
    assert [commit.title for commit in repository.history(repository.commit("main"))] == ["weights", "weights"]
    assert_whole(storage)


def test_a_deleted_repositorys_contents_go(storage: Storage, repository: Repository) -> None:
    commit(storage, repository, "main", weights=storage.blobs.put(b"weights"))
    storage.delete(repository.id)
    attributes = sum(status.st_size for _, status in storage.blobs.all()) - len(b"weights")

    assert collect(storage, clock=tomorrow) == Removed(0, 2, attributes + 7)
    assert list(storage.blobs.all()) == []


def test_what_a_commit_under_way_asked_for_is_not_removed_although_it_was_found_unused(storage: Storage) -> None:
    sha256 = storage.blobs.put(b"weights")
    age(storage, sha256)
    before = time.time() - DAY

    assert storage.blobs.claim(sha256) == 7
    assert not storage.blobs.remove(sha256, unless_since=before)
    age(storage, sha256)
    assert storage.blobs.remove(sha256, unless_since=before)
    assert storage.blobs.claim(sha256) is None
    assert storage.blobs.put(b"weights") == sha256
    assert storage.blobs.size(sha256) == 7


def test_contents_that_are_sent_again_are_young_again(storage: Storage) -> None:
    sha256 = storage.blobs.put(b"weights")
    age(storage, sha256)
    storage.blobs.put(b"weights")
    assert collect(storage) == Removed(0, 0, 0)
    age(storage, sha256)
    assert collect(storage) == Removed(0, 1, 7)


def test_a_branch_that_is_made_at_a_commit_which_is_left_is_whole(storage: Storage, repository: Repository) -> None:
    weights = storage.blobs.put(b"weights")
    repository.add_ref(BRANCHES, "v1", "main")
    commit(storage, repository, "v1", weights=weights)
    left = repository.commit("v1").oid
    repository.remove_ref(BRANCHES, "v1")
    age(storage, weights)

    assert collect(storage) == Removed(0, 0, 0), "the commit is young, and so refers to its contents"
    repository.add_ref(BRANCHES, "v2", left)
    assert_whole(storage)


def test_the_command_says_what_it_did(storage: Storage, capsys: pytest.CaptureFixture[str]) -> None:
    age(storage, storage.blobs.put(b"abandoned"))
    folder = ["--storage-dir", str(storage.root)]

    assert garbage.main([*folder, "--dry-run"]) == 0
    assert garbage.main(folder) == 0
    assert garbage.main(["--storage-dir", str(storage.root / "nowhere")]) == 1
    output = capsys.readouterr()
    assert output.out == (
        "would be removed: 1 contents of 9 bytes, 0 commits\nremoved: 1 contents of 9 bytes, 0 commits\n"
    )
    assert output.err.startswith("There must be a hub's folder to look through. Received: no folder ")


def tomorrow() -> float:
    return time.time() + DAY + 60


def age(storage: Storage, sha256: str) -> None:
    """As if the blob had last been asked for two days ago."""
    moment = time.time() - 2 * DAY
    os.utime(storage.blobs.path(sha256), (moment, moment))


def commit(storage: Storage, repository: Repository, branch: str, **files: str) -> None:
    message = CommitMessage(", ".join(files), "", "local", storage.timestamp())
    entries: dict[str, FileEntry] = {}
    for path, sha256 in files.items():
        size = storage.blobs.claim(sha256)
        assert size is not None
        entries[path] = lfs_entry(sha256, size)
    repository.add_commit(branch, lambda old: {**old, **entries}, message, parent_commit=None)


def assert_whole(storage: Storage) -> None:
    """Every file of every commit that a client can name is there."""
    for repository in storage.all_repositories():
        for stored in repository.commits():
            for path, entry in stored.files.items():
                assert storage.blobs.size(entry.sha256) == entry.size, path
