"""The few things a publication asks of a Hub, spoken through an injected `HfApi`.

Reads and requests that may safely be repeated are repeated when the Hub does not answer or answers 429 or
5xx. A commit is not: when its answer is lost, the branch is read, and only a commit that did not arrive is
sent again, naming the parent it was planned on, so that it can never be applied twice. Everything that
remains becomes one `HubError`.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import httpx2
from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
)
from huggingface_hub.hf_api import RepoFile

from pipeline.components.hf_pusher.errors import HubError
from pipeline.components.hf_pusher.plan import HUB_OWN_FILES, Plan, RemoteFile

if TYPE_CHECKING:
    from huggingface_hub import HfApi

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
_NO_ANSWER = 0
_PRECONDITION_FAILED = 412
_CONFLICT = 409
# A download that gets no answer is reported as a file that is not in the local cache either.
_FAILURES = (httpx2.HTTPError, OfflineModeIsEnabled, HFValidationError, LocalEntryNotFoundError)


@dataclass(frozen=True)
class Hub:
    """A Hub that is written to: `api` carries the address and the token, `token_env` is what the user may
    set."""

    api: HfApi
    token_env: str
    attempts: int = 3
    first_pause_seconds: float = 0.5  # doubled after each attempt
    sleep: Callable[[float], None] = time.sleep

    @property
    def endpoint(self) -> str:
        return self.api.endpoint

    def ensure_repo(self, repo_id: str, *, repo_type: str, private: bool) -> None:
        """Creates the repository unless it is there."""
        self._repeat(
            f"create the {repo_type} repository {repo_id}",
            lambda: self.api.create_repo(
                repo_id,
                repo_type=repo_type,
                private=private,
                exist_ok=True,
                space_sdk="gradio" if repo_type == "space" else None,
            ),
        )

    def branches(self, repo_id: str, *, repo_type: str) -> dict[str, str]:
        """Each branch with the commit that it names."""
        refs = self._repeat(
            f"list the revisions of {repo_id}", lambda: self.api.list_repo_refs(repo_id, repo_type=repo_type)
        )
        return {ref.name: ref.target_commit for ref in refs.branches}

    def create_branch(self, repo_id: str, *, branch: str, commit: str) -> bool:
        """Creates `branch` of a model repository at `commit`; False when a branch of that name is there
        already."""
        action = f"create the revision {branch} of {repo_id}"
        try:
            self.api.create_branch(repo_id, branch=branch, revision=commit)
        except HfHubHTTPError as error:
            if error.response.status_code == _CONFLICT:
                return False
            raise self._refusal(action, error) from _cause(error, self.api.token)
        except _FAILURES as error:
            raise self._refusal(action, error) from _cause(error, self.api.token)
        return True

    def delete_branch(self, repo_id: str, *, branch: str) -> None:
        self._repeat(
            f"delete the revision {branch} of {repo_id}",
            lambda: self.api.delete_branch(repo_id, branch=branch),
        )

    def tree(self, repo_id: str, *, repo_type: str, commit: str) -> tuple[RemoteFile, ...]:
        """Every file at `commit`, with its checksums."""

        def read() -> tuple[RemoteFile, ...]:
            entries = self.api.list_repo_tree(repo_id, recursive=True, revision=commit, repo_type=repo_type)
            return tuple(_remote_file(entry) for entry in entries if isinstance(entry, RepoFile))

        return self._repeat(f"list the files of {repo_id} at {commit}", read)

    def read_file(self, repo_id: str, *, path: str, commit: str) -> bytes:
        """The bytes of a small file of a model repository."""

        def download() -> bytes:
            with tempfile.TemporaryDirectory() as folder:
                file = self.api.hf_hub_download(repo_id, path, revision=commit, local_dir=folder)
                return Path(file).read_bytes()

        return self._repeat(f"read {path} of {repo_id} at {commit}", download)

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
            except (*_FAILURES, ValueError) as error:
                landed = self._landed(plan, branch=branch, parent=parent) if _is_unclear(error) else None
                if landed is not None:
                    logger.info("The answer to '%s' was lost, but the commit %s had arrived.", action, landed)
                    return landed
                if not _is_passing(error) or attempt == self.attempts:
                    raise self._refusal(action, error) from _cause(error, self.api.token)
                self._pause(action, attempt=attempt, status=_status(error))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _landed(self, plan: Plan, *, branch: str, parent: str) -> str | None:
        """The branch's head when it is no longer `parent` and holds the plan: then the commit did arrive."""
        head = self.branches(plan.repo_id, repo_type=plan.repo_type).get(branch)
        if head is None or head == parent:
            return None
        tree = self.tree(plan.repo_id, repo_type=plan.repo_type, commit=head)
        return None if plan.differences(tree) else head

    def _repeat(self, action: str, request: Callable[[], _T]) -> _T:
        for attempt in range(1, self.attempts + 1):
            try:
                return request()
            except _FAILURES as error:
                if not _is_passing(error) or attempt == self.attempts:
                    raise self._refusal(action, error) from _cause(error, self.api.token)
                self._pause(action, attempt=attempt, status=_status(error))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _pause(self, action: str, *, attempt: int, status: int) -> None:
        seconds = self.first_pause_seconds * 2 ** (attempt - 1)
        answer = f"HTTP {status}" if status else "no answer"
        logger.warning("Could not %s (%s); attempt %d of %d, again in %.1f s.",
                       action, answer, attempt, self.attempts, seconds)  # fmt: skip
        self.sleep(seconds)

    def _refusal(self, action: str, error: Exception) -> HubError:
        status = _status(error)
        if isinstance(error, OfflineModeIsEnabled):
            received, way_out = "offline mode", "Unset HF_HUB_OFFLINE."
        elif isinstance(error, (HFValidationError, ValueError)) and not status:
            received, way_out = _first_line(error), "Correct the value."
        elif status == _NO_ANSWER:
            received = f"no answer ({type(error).__name__})"
            way_out = "Check publish.endpoint and the network, then run again."
        else:
            received = f"HTTP {status}{_server_words(error)}"
            way_out = _way_out(status, self.token_env)
        text = f"The Hub must accept the request to {action}. Received: {received} from {self.endpoint}. {way_out}"
        return HubError(_without_token(text, self.api.token))


def _operations(plan: Plan, there: Sequence[RemoteFile]) -> list[CommitOperationAdd | CommitOperationDelete]:
    """Adds for every planned file that is not there yet, deletes for every other file; made anew for each
    attempt."""
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


def _status(error: Exception) -> int:
    return error.response.status_code if isinstance(error, HfHubHTTPError) else _NO_ANSWER


def _is_passing(error: Exception) -> bool:
    """Whether the same request may succeed a moment later."""
    status = _status(error)
    return isinstance(error, (httpx2.TransportError, LocalEntryNotFoundError)) or status == 429 or status >= 500


def _is_unclear(error: Exception) -> bool:
    """Whether the Hub may have acted although the answer says otherwise, or does not say."""
    return _is_passing(error) or _status(error) == _PRECONDITION_FAILED


def _way_out(status: int, token_env: str) -> str:
    if status == 401:
        return f"Put a valid token with write access into the environment variable {token_env}."
    if status == 403:
        return f"Give the token in {token_env} write access to this repository, or set another publish.repo_id."
    if status == 404:
        return f"Check publish.endpoint and publish.repo_id, and that the token in {token_env} may see the repository."
    if status == _PRECONDITION_FAILED:
        return "Another publication was committed meanwhile; run again."
    if status == 429:
        return "The Hub asks for fewer requests; run again in some minutes."
    if status >= 500:
        return "The Hub failed; nothing is half published. Run again later."
    return "Correct what the Hub names, then run again."


def _server_words(error: Exception) -> str:
    words = getattr(error, "server_message", None)
    return f" ({' '.join(str(words).split())})" if words else ""


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _without_token(text: str, token: object) -> str:
    return text.replace(token, "***") if isinstance(token, str) and token else text


def _cause(error: Exception, token: object) -> Exception | None:
    """`error`, unless its text holds the token (a Hub may echo it), which a traceback would then write into a
    log."""
    return None if isinstance(token, str) and token and token in f"{error!r}{error}" else error
