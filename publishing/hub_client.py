"""Asks a Hub the few things that a publication needs, spoken through an injected `HfApi`.

Reads and requests that may safely be repeated are repeated when the Hub does not answer or answers 429 or 5xx. A
commit is not: when its answer is lost, the branch is read, and only a commit that did not arrive is sent again, naming
the parent it was planned on, so that it can never be applied twice. Everything that remains becomes one `HubError`.
"""

from __future__ import annotations

import logging
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile

from publishing.errors import HubError
from publishing.failures import (
    COMMIT_FAILURES,
    CONFLICT,
    FAILURES,
    FORBIDDEN,
    NOT_FOUND,
    asked_pause_seconds,
    cause,
    is_temporary,
    is_unclear,
    refusal,
    status_of,
    unwrapped,
)
from publishing.files import HUB_OWN_FILES, RemoteFile
from publishing.permissions import Account
from publishing.plan import SPACE_TITLE, Plan

if TYPE_CHECKING:
    from huggingface_hub import HfApi

logger = logging.getLogger(__name__)

_T = TypeVar("_T")


@dataclass(frozen=True)
class Hub:
    """A Hub that is written to: `api` carries the address and the token, `token_env` is what the user may
    set."""

    api: HfApi
    token_env: str
    attempts: int = 5
    first_pause_seconds: float = 0.5  # doubled after each attempt
    notice: int = logging.WARNING  # level of the line that tells of a further attempt
    sleep: Callable[[float], None] = time.sleep

    @property
    def endpoint(self) -> str:
        return self.api.endpoint

    def has_repo(self, repo_id: str, *, repo_type: str) -> bool:
        """Returns whether there is such a repository, as far as the token may see."""

        def look() -> bool:
            try:
                self.api.repo_info(repo_id, repo_type=repo_type)
            except RepositoryNotFoundError:
                return False
            return True

        return self._repeat(f"look for the {repo_type} repository {repo_id}", look)

    def account(self) -> Account:
        """Returns the token's owner, and where it may write."""
        return self._repeat(
            f"tell whose token {self.token_env} holds", lambda: Account.model_validate(self.api.whoami())
        )

    def may_write(self, repo_id: str, *, repo_type: str) -> bool | None:
        """Returns whether the token may write to a repository; None where there is none that it may see."""

        def ask() -> bool | None:
            try:
                self.api.auth_check(repo_id, repo_type=repo_type, write=True)
            except FAILURES as error:
                if status_of(error) == FORBIDDEN:
                    return False
                if status_of(error) == NOT_FOUND or isinstance(error, RepositoryNotFoundError):
                    return None
                raise
            return True

        return self._repeat(f"tell whether the {repo_type} repository {repo_id} may be written to", ask)

    def ensure_repo(
        self, repo_id: str, *, repo_type: str, private: bool, sdk: str | None = None, hardware: str | None = None
    ) -> None:
        """Creates the repository unless it is there; `sdk` and `hardware` are a Space's."""

        def create() -> None:
            try:
                self.api.create_repo(
                    repo_id,
                    repo_type=repo_type,
                    private=private,
                    space_sdk=sdk,
                    space_hardware=hardware,  # type: ignore[arg-type] # the Hub itself knows its hardware best
                )
            except FAILURES as error:
                # Somebody made it meanwhile, or this did and the answer was lost. (The client's own `exist_ok` fails
                # on Hubs other than the public one.)
                if status_of(error) != CONFLICT:
                    raise

        if not self.has_repo(repo_id, repo_type=repo_type):
            self._repeat(f"create the {repo_type} repository {repo_id}", create)

    def branches(self, repo_id: str, *, repo_type: str) -> dict[str, str]:
        """Returns each branch with the commit that it names."""
        refs = self._repeat(
            f"list the revisions of {repo_id}", lambda: self.api.list_repo_refs(repo_id, repo_type=repo_type)
        )
        return {ref.name: ref.target_commit for ref in refs.branches}

    def commit_of(self, repo_id: str, *, revision: str) -> str:
        """Returns the commit of a model repository that a branch, a tag or a commit's own name names."""
        info = self._repeat(f"look up {revision} of {repo_id}", lambda: self.api.model_info(repo_id, revision=revision))
        return str(info.sha)

    def create_branch(self, repo_id: str, *, branch: str, commit: str) -> bool:
        """Creates `branch` of a model repository at `commit`; False when it is there already, at another commit."""

        def create() -> bool:
            try:
                self.api.create_branch(repo_id, branch=branch, revision=commit)
            except FAILURES as error:
                there = self.branches(repo_id, repo_type="model").get(branch) if is_unclear(error) else None
                if there is None:
                    raise
                return there == commit  # the answer was lost, or somebody else had the same idea
            return True

        return self._repeat(f"create the branch {branch} of {repo_id}", create)

    def delete_branch(self, repo_id: str, *, branch: str) -> None:
        """Deletes `branch` of a model repository; one that is not there is deleted already."""

        def delete() -> None:
            try:
                self.api.delete_branch(repo_id, branch=branch)
            except FAILURES as error:
                # The answer to an earlier attempt may have been lost; the Hub says 404 for an absent branch.
                if status_of(error) != NOT_FOUND or branch in self.branches(repo_id, repo_type="model"):
                    raise

        self._repeat(f"delete the branch {branch} of {repo_id}", delete)

    def tree(self, repo_id: str, *, repo_type: str, commit: str) -> tuple[RemoteFile, ...]:
        """Returns every file at `commit`, with its checksums."""

        def read() -> tuple[RemoteFile, ...]:
            entries = self.api.list_repo_tree(repo_id, recursive=True, revision=commit, repo_type=repo_type)
            return tuple(_remote_file(entry) for entry in entries if isinstance(entry, RepoFile))

        return self._repeat(f"list the files of {repo_id} at {commit}", read)

    def read_file(self, repo_id: str, *, path: str, commit: str, repo_type: str = "model") -> bytes:
        """Returns the bytes of a small file."""

        def download() -> bytes:
            with tempfile.TemporaryDirectory() as folder:
                file = self.api.hf_hub_download(repo_id, path, revision=commit, local_dir=folder, repo_type=repo_type)
                return Path(file).read_bytes()

        return self._repeat(f"read {path} of {repo_id} at {commit}", download)

    def download_files(self, repo_id: str, *, paths: Sequence[str], commit: str, folder: Path) -> None:
        """Writes files of a model repository, of any size, below `folder`."""
        for path in paths:

            def download(path: str = path) -> None:
                self.api.hf_hub_download(repo_id, path, revision=commit, local_dir=folder)

            self._repeat(f"read {path} of {repo_id} at {commit}", download)

    def spaces_of(self, repo_id: str) -> list[str]:
        """Returns the Spaces whose cards name this model."""
        info = self._repeat(f"list the Spaces of {repo_id}", lambda: self.api.model_info(repo_id, expand=["spaces"]))
        return sorted(info.spaces or [])

    def served_revision(self, space_repo_id: str, *, model: str) -> str | None:
        """Returns the revision of `model` that a Space was published for; None when none of its commits tells."""
        commits = self._repeat(
            f"list the commits of {space_repo_id}",
            lambda: self.api.list_repo_commits(space_repo_id, repo_type="space"),
        )
        titles = (re.fullmatch(SPACE_TITLE, commit.title) for commit in commits)
        return next((title["revision"] for title in titles if title and title["repo_id"] == model), None)

    def commit(self, plan: Plan, *, branch: str, parent: str, message: str, description: str = "") -> str:
        """Makes `branch` hold exactly the plan's files, in one commit on `parent`.

        Returns:
          The commit; `parent` itself when it holds them already.
        """
        action = f"commit {len(plan.files)} files to {plan.repo_id}"
        there = self.tree(plan.repo_id, repo_type=plan.repo_type, commit=parent)
        for attempt in range(1, self.attempts + 1):
            try:
                info = self.api.create_commit(
                    plan.repo_id,
                    operations=_operations(plan, there),
                    commit_message=message,
                    commit_description=description,
                    repo_type=plan.repo_type,
                    revision=branch,
                    parent_commit=parent,
                )
                return str(info.oid)
            except COMMIT_FAILURES as raised:
                error = unwrapped(raised)
                landed = self._arrived_commit(plan, branch=branch, parent=parent) if is_unclear(error) else None
                if landed is not None:
                    logger.info("The answer to '%s' was lost, but the commit %s had arrived.", action, landed)
                    return landed
                self._pause_or_raise(action, error, attempt=attempt)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _arrived_commit(self, plan: Plan, *, branch: str, parent: str) -> str | None:
        """Returns the branch's head when it is no longer `parent` and holds the plan: then the commit did arrive."""
        head = self.branches(plan.repo_id, repo_type=plan.repo_type).get(branch)
        if head is None or head == parent:
            return None
        tree = self.tree(plan.repo_id, repo_type=plan.repo_type, commit=head)
        return None if plan.differences(tree) else head

    def _repeat(self, action: str, request: Callable[[], _T]) -> _T:
        for attempt in range(1, self.attempts + 1):
            try:
                return request()
            except FAILURES as error:
                self._pause_or_raise(action, error, attempt=attempt)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _pause_or_raise(self, action: str, error: Exception, *, attempt: int) -> None:
        """Waits before the next attempt, where one may help."""
        if not is_temporary(error) or attempt == self.attempts:
            raise self._refusal(action, error) from cause(error, self.api.token)
        seconds = max(self.first_pause_seconds * 2 ** (attempt - 1), asked_pause_seconds(error))
        status = status_of(error)
        answer = f"HTTP {status}" if status else f"no answer, {type(error).__name__}"
        logger.log(self.notice, "Could not %s (%s); attempt %d of %d, again in %.1f s.",
                   action, answer, attempt, self.attempts, seconds)  # fmt: skip
        self.sleep(seconds)

    def _refusal(self, action: str, error: Exception) -> HubError:
        return refusal(action, error, endpoint=self.endpoint, token_env=self.token_env, token=self.api.token)


def _operations(plan: Plan, there: Sequence[RemoteFile]) -> list[CommitOperationAdd | CommitOperationDelete]:
    """Adds for every planned file, deletes for every other file; made anew for each attempt."""
    planned = {file.path for file in plan.files}
    stale = sorted(file.path for file in there if file.path not in planned | HUB_OWN_FILES)
    adds = [
        CommitOperationAdd(
            path_in_repo=file.path,
            path_or_fileobj=file.source if isinstance(file.source, bytes) else str(file.source),
        )
        for file in plan.files
    ]
    return [*adds, *(CommitOperationDelete(path_in_repo=path, is_folder=False) for path in stale)]


def _remote_file(entry: RepoFile) -> RemoteFile:
    return RemoteFile(
        path=entry.path,
        size_bytes=entry.size,
        sha256=entry.lfs.sha256 if entry.lfs else None,
        git_oid=entry.blob_id,
    )
