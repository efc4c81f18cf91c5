"""One repository on disk: settings, commits and refs.

repo.json             settings
commits/<oid>.json    immutable manifests
refs/heads/<name>     a commit's oid; names are URL-quoted
refs/tags/<name>
objects/<sha256>      empty: this large file was sent to this repository
lock                  held while a ref moves
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from hub.durable import locked, sync_folder, write_atomically
from hub.errors import (
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    ParentCommitError,
    RepoNotFoundError,
    RevisionNotFoundError,
)
from hub.manifests import Commit, FileEntry
from hub.names import RepoId, is_short_oid, ref_name

DEFAULT_BRANCH: Final = "main"
BRANCHES: Final = "heads"
TAGS: Final = "tags"
ACCESS_STATUSES: Final = ("accepted", "rejected", "pending")

Changes = Callable[[Mapping[str, FileEntry]], dict[str, FileEntry]]


@dataclass(frozen=True)
class AccessRequest:
    """A user who was let into a gated repository, was rejected, or waits."""

    user: str
    status: str  # one of ACCESS_STATUSES
    timestamp: str  # UTC, ISO 8601: when it became so

    @property
    def id(self) -> str:
        return hashlib.sha1(self.user.encode(), usedforsecurity=False).hexdigest()[:24]


@dataclass(frozen=True)
class Settings:
    """Settings of a repository, apart from its contents."""

    private: bool
    created_at: str  # UTC, ISO 8601
    sdk: str | None = None  # of a Space
    gated: str | bool = False  # "auto" or "manual": its contents are for those who were let in
    requests: tuple[AccessRequest, ...] = ()

    @property
    def readers(self) -> set[str]:
        """Returns the users who were let in."""
        return {asked.user for asked in self.requests if asked.status == "accepted"}

    @classmethod
    def decode(cls, content: bytes) -> Settings:
        fields: dict[str, Any] = json.loads(content)
        requests = [AccessRequest(**asked) for asked in fields.pop("requests", ())]
        # Folders of older servers name only the users who were let in.
        requests += [AccessRequest(user, "accepted", fields["created_at"]) for user in fields.pop("readers", ())]
        return cls(**fields, requests=tuple(requests))


@dataclass(frozen=True)
class CommitMessage:
    """The author, the words and the time of a change."""

    title: str
    description: str
    author: str
    created_at: str  # UTC, ISO 8601


@dataclass(frozen=True)
class LargeFile:
    """A large file somewhere in the history."""

    path: str
    entry: FileEntry
    pushed_at: str  # UTC, ISO 8601
    ref: str | None  # a branch or tag that holds it now


class Repository:
    """Reads and changes one repository's folder."""

    def __init__(self, repo_id: RepoId, folder: Path) -> None:
        self.id = repo_id
        self._folder = folder

    @classmethod
    def lay_out(cls, repo_id: RepoId, folder: Path, settings: Settings, first: Commit) -> None:
        """Fills an empty, not yet visible `folder` with a repository of one commit."""
        for part in ("commits", f"refs/{BRANCHES}", f"refs/{TAGS}"):
            (folder / part).mkdir(parents=True)
        repository = cls(repo_id, folder)
        write_atomically(folder / "repo.json", json.dumps(asdict(settings)).encode())
        repository._write_commit(first)
        write_atomically(repository._ref_path(BRANCHES, DEFAULT_BRANCH), first.oid.encode())
        sync_folder(folder)

    @property
    def settings(self) -> Settings:
        try:
            return Settings.decode((self._folder / "repo.json").read_bytes())
        except FileNotFoundError as error:
            raise self._gone() from error

    def change_settings(self, change: Callable[[Settings], Settings]) -> None:
        with self._locked():
            settings = change(self.settings)
            write_atomically(self._folder / "repo.json", json.dumps(asdict(settings)).encode())

    def refs(self, space: str) -> dict[str, str]:
        """Names and commits of all branches (`heads`) or tags (`tags`), the default branch first."""
        folder = self._folder / "refs" / space
        names = [unquote(path.name) for path in folder.iterdir() if not path.name.startswith(".")]
        names.sort(key=lambda name: (name != DEFAULT_BRANCH, name))
        targets = {name: self._target(space, name) for name in names}
        return {name: target for name, target in targets.items() if target is not None}

    def commit(self, revision: str) -> Commit:
        """Returns the commit that a branch, a tag or a commit id (seven digits or more) names."""
        oid = self._target(BRANCHES, revision) or self._target(TAGS, revision) or self._full_oid(revision)
        if oid is None:
            raise RevisionNotFoundError(f"Invalid rev id: {revision} (no branch, tag or commit of {self.id})")
        return self._read_commit(oid)

    def branch_head(self, branch: str) -> Commit:
        oid = self._target(BRANCHES, branch)
        if oid is None:
            raise RevisionNotFoundError(f"{self.id} has no branch {branch!r}; create it first.")
        return self._read_commit(oid)

    def history(self, newest: Commit) -> Iterator[Commit]:
        """Yields `newest` and its ancestors, as far as they were kept."""
        commit: Commit | None = newest
        while commit is not None:
            yield commit
            is_there = commit.parent is not None and self._commit_path(commit.parent).is_file()
            commit = self._read_commit(commit.parent) if commit.parent and is_there else None

    def add_commit(self, branch: str, changes: Changes, message: CommitMessage, *, parent_commit: str | None) -> Commit:
        """Applies `changes` to the head of `branch` as one commit: all of it becomes visible, or nothing.

        Raises:
            ParentCommitError: `parent_commit` is given and is no longer the branch's head.
        """
        with self._locked():
            head = self.branch_head(branch)
            if parent_commit is not None and not _same_commit(head, parent_commit):
                raise ParentCommitError(
                    "The branch was updated since you opened this page. Please refresh and try again."
                    f" Branch {branch!r} of {self.id} is at {head.oid}. Received: parentCommit={parent_commit!r}."
                )
            files = changes(head.files)
            commit = Commit(**asdict(message), parent=head.oid, files=files)
            self._write_commit(commit)
            write_atomically(self._ref_path(BRANCHES, branch), commit.oid.encode())
        return commit

    def squash(self, branch: str, message: CommitMessage) -> Commit:
        """Replaces the history of `branch` by one commit of what it holds."""
        with self._locked():
            commit = Commit(**asdict(message), parent=None, files=self.branch_head(branch).files)
            self._write_commit(commit)
            write_atomically(self._ref_path(BRANCHES, branch), commit.oid.encode())
        return commit

    def large_files(self) -> list[LargeFile]:
        """Returns every large file of the repository once, with a branch or tag that holds it now, if one does."""
        found: dict[str, LargeFile] = {}
        heads = self._heads()
        for ref, head in heads.items():
            for path, entry in head.large_files():
                found.setdefault(entry.sha256, LargeFile(path, entry, head.created_at, ref))
        for commit in (commit for head in heads.values() for commit in self.history(head)):
            for path, entry in commit.large_files():
                known = found.setdefault(entry.sha256, LargeFile(path, entry, commit.created_at, None))
                found[entry.sha256] = replace(known, pushed_at=min(known.pushed_at, commit.created_at))
        return list(found.values())

    def remove_large_files(self, sha256s: Collection[str]) -> None:
        """Rewrites every branch and tag as if these large files had never been committed."""
        rewritten: dict[str, Commit] = {}
        with self._locked():
            for ref, head in self._heads().items():
                for commit in reversed(list(self.history(head))):
                    rewritten.setdefault(commit.oid, self._without(commit, sha256s, rewritten))
                _, space, name = ref.split("/", 2)
                write_atomically(self._ref_path(space, name), rewritten[head.oid].oid.encode())
            for oid, commit in rewritten.items():
                if oid != commit.oid:
                    self._commit_path(oid).unlink()

    def _without(self, commit: Commit, sha256s: Collection[str], rewritten: Mapping[str, Commit]) -> Commit:
        """Stores the commit anew without these large files, on its parent as that was rewritten."""
        parent = rewritten.get(commit.parent or "")
        unwanted = {path for path, entry in commit.large_files() if entry.sha256 in sha256s}
        kept = {path: entry for path, entry in commit.files.items() if path not in unwanted}
        changed = replace(commit, parent=parent.oid if parent else commit.parent, files=kept)
        if changed != commit:
            self._write_commit(changed)
        return changed

    def _heads(self) -> dict[str, Commit]:
        """Returns the commits that branches and tags name, by the full names of those."""
        refs = {f"refs/{space}/{name}": oid for space in (BRANCHES, TAGS) for name, oid in self.refs(space).items()}
        return {ref: self._read_commit(oid) for ref, oid in refs.items()}

    def add_ref(self, space: str, name: str, revision: str) -> None:
        """Creates a branch or tag at `revision`."""
        with self._locked():
            start = self.commit(revision)
            if self._target(space, ref_name(name)) is not None:
                raise ConflictError(f"Reference refs/{space}/{name} already exists in {self.id}")
            write_atomically(self._ref_path(space, name), start.oid.encode())

    def remove_ref(self, space: str, name: str) -> None:
        if (space, name) == (BRANCHES, DEFAULT_BRANCH):
            raise ForbiddenError(f"Cannot delete refs/{BRANCHES}/{DEFAULT_BRANCH}: it is the default branch.")
        with self._locked():
            if self._target(space, name) is None:
                raise RevisionNotFoundError(f"Invalid rev id: refs/{space}/{name} (no such ref of {self.id})")
            self._ref_path(space, name).unlink()
            sync_folder(self._folder / "refs" / space)

    def commits(self) -> Iterator[Commit]:
        """Yields every commit that is stored, whether or not a ref leads to it."""
        for path in (self._folder / "commits").glob("*.json"):
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                yield Commit.decode(path.read_bytes())

    def prune_commits(self, *, before: float, with_history: bool, dry_run: bool) -> set[str]:
        """Deletes the commits made before that time to which no branch or tag leads; returns their ids.

        Args:
            before: seconds since the epoch.
            with_history: whether also those go that are only ancestors of what a branch or tag names.
            dry_run: whether to delete nothing.
        """
        with self._locked():
            heads = {head.oid: head for head in self._heads().values()}
            kept = set(heads)
            if not with_history:
                kept |= {commit.oid for head in heads.values() for commit in self.history(head)}
            paths = list((self._folder / "commits").glob("*.json"))
            old = [path for path in paths if path.stem not in kept and path.stat().st_mtime < before]
            for path in old if not dry_run else ():
                path.unlink()
        return {path.stem for path in old}

    def forget_objects(self, is_stored: Callable[[str], bool]) -> None:
        """Forgets which large files were sent here of those that are stored no longer."""
        for path in (self._folder / "objects").glob("*"):
            if not is_stored(path.name):
                path.unlink(missing_ok=True)

    def note_object(self, sha256: str) -> None:
        """Remembers that this large file was sent here: what was sent elsewhere only is not this repository's."""
        folder = self._folder / "objects"
        folder.mkdir(exist_ok=True)
        (folder / sha256).touch()

    def has_object(self, sha256: str) -> bool:
        """Returns whether this large file was sent here, or is in a revision."""
        if (self._folder / "objects" / sha256).is_file():
            return True
        return any(entry.sha256 == sha256 for head in self._heads().values() for entry in head.files.values())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with locked(self._folder / "lock"):
                yield
        except FileNotFoundError as error:
            raise self._gone() from error

    def _target(self, space: str, name: str) -> str | None:
        try:
            return self._ref_path(space, ref_name(name)).read_text()
        except (InvalidRequestError, FileNotFoundError):
            return None

    def _ref_path(self, space: str, name: str) -> Path:
        return self._folder / "refs" / space / quote(name, safe="")

    def _full_oid(self, revision: str) -> str | None:
        if not is_short_oid(revision):
            return None
        matches = [path.stem for path in (self._folder / "commits").glob(f"{revision}*.json")]
        return matches[0] if len(matches) == 1 else None

    def _read_commit(self, oid: str) -> Commit:
        try:
            return Commit.decode(self._commit_path(oid).read_bytes())
        except FileNotFoundError as error:
            raise self._gone() from error

    def _write_commit(self, commit: Commit) -> None:
        write_atomically(self._commit_path(commit.oid), commit.encode())

    def _commit_path(self, oid: str) -> Path:
        return self._folder / "commits" / f"{oid}.json"

    def _gone(self) -> RepoNotFoundError:
        return RepoNotFoundError(f"Repository {self.id} was deleted meanwhile.")


def _same_commit(commit: Commit, oid: str) -> bool:
    return is_short_oid(oid) and commit.oid.startswith(oid)
