"""The storage folder: blobs shared by all repositories, and the repositories.

blobs/      contents by sha256
uploads/    what is being written; nothing in it is visible to a client
repos/      <kind>/<namespace>/<name>/, see `repository`
moved/      <kind>/<namespace>/<name>, in lower case: the name that a repository of this one got later
names.lock  held while a name is given
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from hub.blobs import BlobStore
from hub.durable import locked, sync_folder, write_atomically
from hub.errors import ConflictError, RepoNotFoundError, StorageUnusableError
from hub.manifests import Commit, regular_entry
from hub.names import KINDS, RepoId, repo_id
from hub.repository import Repository, Settings
from hub.upload_mode import GIT_ATTRIBUTES


def utc_now() -> datetime:
    return datetime.now(UTC)


class Storage:
    """Every repository of one storage folder; safe for several threads and processes at once."""

    def __init__(self, root: Path, *, now: Callable[[], datetime] = utc_now) -> None:
        self.root = root.resolve()
        self._now = now
        self._repos = self.root / "repos"
        try:
            self._repos.mkdir(parents=True, exist_ok=True)
            self.blobs = BlobStore(self.root)
            self.blobs.remove_stale_uploads()
        except OSError as error:
            raise StorageUnusableError(
                f"The Hub's storage must be a writable folder. Received: {self.root} ({error})"
            ) from error

    def timestamp(self) -> str:
        """Returns the present moment as the Hub writes it."""
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def repository(self, repo_id: RepoId) -> Repository:
        """Returns the repository of that name, in whatever case it is written, or that once had that name.

        Raises:
            RepoNotFoundError: there is none.
        """
        found = self._find(repo_id) or self._find_moved(repo_id)
        if found is None:
            raise RepoNotFoundError(f"Repository not found: {repo_id.kind}/{repo_id}")
        return Repository(found, self._folder(found))

    def repository_named(self, path: str) -> Repository:
        """Returns the repository of a kind and an id, "models/local/gpt2"."""
        return self.repository(repo_id(*path.split("/")))

    def repositories(self, kind: str) -> list[Repository]:
        folders = sorted(path for path in (self._repos / kind).glob("*/*") if path.is_dir())
        return [Repository(RepoId(kind, path.parent.name, path.name), path) for path in folders]

    def all_repositories(self) -> list[Repository]:
        return [repository for kind in KINDS for repository in self.repositories(kind)]

    def create(self, repo_id: RepoId, *, author: str, private: bool, sdk: str | None = None) -> Repository:
        """Returns a new repository whose first commit holds `.gitattributes`, and a Space's `README.md`, as on the
        Hub."""
        with locked(self.root / "names.lock"):
            present = self._find(repo_id)
            if present is not None:
                raise ConflictError(f"You already created this {repo_id.type} repo: {present}")
            repository = self._create(repo_id, author, private=private, sdk=sdk)
            self._note_moved(repo_id, None)
        return repository

    def move(self, old: RepoId, new: RepoId) -> None:
        """Gives a repository another name; the old one leads to it until it is given away anew.

        Raises:
            RepoNotFoundError: there is no repository of the old name.
            ConflictError: there is one of the new name.
        """
        with locked(self.root / "names.lock"):
            current, present = self._find(old), self._find(new)
            if current is None:
                raise RepoNotFoundError(f"Repository not found: {old.kind}/{old}")
            if present not in (None, current):
                raise ConflictError(f"A {new.type} repository called {new} already exists")
            self._folder(new).parent.mkdir(parents=True, exist_ok=True)
            self._folder(current).rename(self._folder(new))
            self._note_moved(new, None)
            self._note_moved(current, new)
            sync_folder(self._folder(new).parent)

    def _create(self, repo_id: RepoId, author: str, *, private: bool, sdk: str | None) -> Repository:
        folder = self._folder(repo_id)
        folder.parent.mkdir(parents=True, exist_ok=True)
        contents = {".gitattributes": GIT_ATTRIBUTES}
        if sdk is not None:
            contents["README.md"] = f"---\ntitle: {repo_id.name}\nsdk: {sdk}\n---\n".encode()
        files = {path: regular_entry(content, self.blobs.put(content)) for path, content in contents.items()}
        created_at = self.timestamp()
        first = Commit("initial commit", "", author, created_at, parent=None, files=files)
        prepared = self._set_aside()
        try:
            prepared.mkdir()
            settings = Settings(private=private, created_at=created_at, sdk=sdk)
            Repository.lay_out(repo_id, prepared, settings, first)
            prepared.rename(folder)
        finally:
            shutil.rmtree(prepared, ignore_errors=True)
        sync_folder(folder.parent)
        return Repository(repo_id, folder)

    def delete(self, repo_id: RepoId) -> None:
        """Removes a repository; contents that others share stay."""
        discarded = self._set_aside()
        folder = self._folder(self._find(repo_id) or repo_id)
        try:
            folder.rename(discarded)
        except FileNotFoundError as error:
            raise RepoNotFoundError(f"Repository not found: {repo_id.kind}/{repo_id}") from error
        sync_folder(folder.parent)
        shutil.rmtree(discarded)

    def _find(self, repo_id: RepoId) -> RepoId | None:
        """Returns the name of a repository as it was created, whatever its case in `repo_id`."""
        if self._folder(repo_id).is_dir():
            return repo_id
        wanted = str(repo_id).lower()
        named = (repository.id for repository in self.repositories(repo_id.kind))
        return next((name for name in named if str(name).lower() == wanted), None)

    def _find_moved(self, repo_id: RepoId) -> RepoId | None:
        """Returns where the repository that once had this name is now."""
        passed: set[RepoId] = set()
        while repo_id not in passed:
            passed.add(repo_id)
            try:
                repo_id = RepoId(repo_id.kind, *self._moved_file(repo_id).read_text().split("/"))
            except FileNotFoundError:
                break
        return self._find(repo_id)

    def _note_moved(self, repo_id: RepoId, target: RepoId | None) -> None:
        file = self._moved_file(repo_id)
        if target is None or target == repo_id:
            file.unlink(missing_ok=True)
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, str(target).encode())

    def _moved_file(self, repo_id: RepoId) -> Path:
        return self.root / "moved" / repo_id.kind / repo_id.namespace.lower() / repo_id.name.lower()

    def _folder(self, repo_id: RepoId) -> Path:
        return self._repos / repo_id.kind / repo_id.namespace / repo_id.name

    def _set_aside(self) -> Path:
        return self.root / "uploads" / f"repository-{secrets.token_hex(8)}"
