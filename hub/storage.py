"""The storage folder: blobs shared by all repositories, and the repositories.

blobs/      contents by sha256
uploads/    what is being written; nothing in it is visible to a client
repos/      <kind>/<namespace>/<name>/, see `repository`
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from hub.blobs import BlobStore
from hub.durable import sync_folder
from hub.errors import ConflictError, RepoNotFoundError, StorageUnusableError
from hub.manifests import Commit, regular_entry
from hub.names import KINDS, RepoId
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
        """The present moment as the Hub writes it."""
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def repository(self, repo_id: RepoId) -> Repository:
        folder = self._folder(repo_id)
        if not folder.is_dir():
            raise RepoNotFoundError(f"Repository not found: {repo_id.kind}/{repo_id}")
        return Repository(repo_id, folder)

    def repositories(self, kind: str) -> list[Repository]:
        folders = sorted(path for path in (self._repos / kind).glob("*/*") if path.is_dir())
        return [Repository(RepoId(kind, path.parent.name, path.name), path) for path in folders]

    def all_repositories(self) -> list[Repository]:
        return [repository for kind in KINDS for repository in self.repositories(kind)]

    def create(self, repo_id: RepoId, *, author: str, private: bool, sdk: str | None = None) -> Repository:
        """A new repository whose first commit holds `.gitattributes`, as on the Hub."""
        folder = self._folder(repo_id)
        folder.parent.mkdir(parents=True, exist_ok=True)
        attributes = regular_entry(GIT_ATTRIBUTES, self.blobs.put(GIT_ATTRIBUTES))
        created_at = self.timestamp()
        files = {".gitattributes": attributes}
        first = Commit("initial commit", "", author, created_at, parent=None, files=files)
        prepared = self._set_aside()
        try:
            prepared.mkdir()
            settings = Settings(private=private, created_at=created_at, sdk=sdk)
            Repository.lay_out(repo_id, prepared, settings, first)
            prepared.rename(folder)
        except OSError as error:
            if not folder.exists():
                raise
            raise ConflictError(f"You already created this {repo_id.kind[:-1]} repo: {repo_id}") from error
        finally:
            shutil.rmtree(prepared, ignore_errors=True)
        sync_folder(folder.parent)
        return Repository(repo_id, folder)

    def delete(self, repo_id: RepoId) -> None:
        """Remove a repository; contents that others share stay."""
        discarded = self._set_aside()
        try:
            self._folder(repo_id).rename(discarded)
        except FileNotFoundError as error:
            raise RepoNotFoundError(f"Repository not found: {repo_id.kind}/{repo_id}") from error
        sync_folder(self._folder(repo_id).parent)
        shutil.rmtree(discarded)

    def _folder(self, repo_id: RepoId) -> Path:
        return self._repos / repo_id.kind / repo_id.namespace / repo_id.name

    def _set_aside(self) -> Path:
        return self.root / "uploads" / f"repository-{secrets.token_hex(8)}"
