"""Death at every single step of a change: afterwards the storage holds the old state or the new one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hub.errors import RepoNotFoundError
from hub.manifests import regular_entry
from hub.names import repo_id
from hub.repository import BRANCHES, CommitMessage, Repository
from hub.storage import Storage

ROOT = Path(__file__).parents[2]
MODEL = repo_id("models", "local", "model")

# One process prepares a storage for each number of steps, and lets a copy of itself die after so many.
DYING = """
import os, sys
from pathlib import Path
from hub.storage import Storage
from tests.hub.test_durability import CHANGES, prepare

folder, change = Path(sys.argv[1]), sys.argv[2]

def dies(step, allowed):
    def with_death(*args, **kwargs):
        if not allowed:
            os._exit(9)
        allowed.pop()
        return step(*args, **kwargs)
    return with_death

for steps in range(200):
    root = prepare(folder / f"{steps:03}", change)
    child = os.fork()
    if not child:
        storage, allowed = Storage(root), [None] * steps
        for owner, name in ((os, "fsync"), *((Path, n) for n in ("replace", "rename", "unlink", "mkdir"))):
            setattr(owner, name, dies(getattr(owner, name), allowed))
        CHANGES[change](storage)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
"""


def create(storage: Storage) -> Repository:
    return storage.create(MODEL, author="local", private=False)


def commit(storage: Storage) -> None:
    files = {f"{number}.txt": str(number).encode() for number in range(3)}
    entries = {path: regular_entry(content, storage.blobs.put(content)) for path, content in files.items()}
    message = CommitMessage("title", "", "local", storage.timestamp())
    storage.repository(MODEL).add_commit("main", lambda old: {**old, **entries}, message, parent_commit=None)


def branch(storage: Storage) -> None:
    storage.repository(MODEL).add_ref(BRANCHES, "v1", "main")


CHANGES = {
    "create": create,
    "commit": commit,
    "branch": branch,
    "delete": lambda storage: storage.delete(MODEL),
}


def prepare(root: Path, change: str) -> Path:
    """A storage to which `change` can be made."""
    storage = Storage(root)
    if change != "create":
        create(storage)
    return root


def state(root: Path) -> object:
    """All that a reader can see, after checking that every content is whole."""
    storage = Storage(root)
    try:
        repository = storage.repository(MODEL)
    except RepoNotFoundError:
        return None
    heads = {name: repository.commit(name) for name in repository.refs(BRANCHES)}
    for head in heads.values():
        assert next(repository.history(head)).oid == head.oid
        for entry in head.files.values():
            assert regular_entry(storage.blobs.path(entry.sha256).read_bytes(), entry.sha256) == entry
    return {name: sorted(head.files) for name, head in heads.items()}


@pytest.mark.parametrize("change", CHANGES)
def test_death_at_any_step_leaves_the_old_state_or_the_new_one(tmp_path: Path, change: str) -> None:
    finished = prepare(tmp_path / "finished", change)
    before = state(finished)
    CHANGES[change](Storage(finished))
    after = state(finished)
    assert before != after

    subprocess.run([sys.executable, "-c", DYING, str(tmp_path / "dying"), change], cwd=ROOT, check=True)
    roots = sorted((tmp_path / "dying").iterdir())
    assert len(roots) >= 3
    states = [state(root) for root in roots]
    assert all(found in (before, after) for found in states)
    assert (states[0], states[-1]) == (before, after)
    for root, found in zip(roots, states, strict=True):
        if found == before:
            CHANGES[change](Storage(root))
        assert state(root) == after
