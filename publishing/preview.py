"""Writes what a publication would do, as text: reads the Hub, changes nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from publishing.files import HUB_OWN_FILES, PlannedFile, RemoteFile
from publishing.manifest import MANIFEST_PATH
from publishing.plan import CARD_PATH, Plan
from publishing.retention import retired_revisions
from publishing.revision_names import MAIN, revision_at
from publishing.revisions import Revision, find_revision, history_before

if TYPE_CHECKING:
    from publishing.hub_client import Hub
    from publishing.publication import Publication

_UNKNOWN_COMMIT = "0" * 40  # stands for the commit that only the publication itself can make


@dataclass(frozen=True)
class _ExistingRepository:
    """A repository's `main`."""

    tree: tuple[RemoteFile, ...] = ()
    commit: str = ""  # empty: there is no such repository


def preview(hub: Hub | None, publication: Publication, *, now: datetime) -> str:
    """Returns the plan against what is there, as text: files, sizes, revision, and the differences of card and Space.

    Args:
      hub: where it would go; None for an embedded Hub that does not exist yet.
      publication: what would be published.
      now: the time in UTC, which would name the revision.
    """
    return "\n".join(_lines(hub, publication, now=now))


def _lines(hub: Hub | None, publication: Publication, *, now: datetime) -> Iterator[str]:
    repo_id = publication.repo_id
    there = _main(hub, repo_id, repo_type="model")
    branches = hub.branches(repo_id, repo_type="model") if hub and there.commit else {}
    found = find_revision(hub, publication, branches) if hub and branches else None
    name = revision_at(now)
    new = Revision(publication.plan(name, history=history_before(name, branches)), _UNKNOWN_COMMIT)
    plan, commit = (found or new).plan, (found or new).commit
    revision = plan.revision
    if found:
        yield f"model {repo_id} @ {revision}: published already, commit {commit}"
    else:
        yield f"model {repo_id} @ {revision}: {_state(there)}, {_visibility(publication.private, there)}"
    yield from _file_lines(plan, there.tree)
    if not found:
        yield from _text_differences(hub, plan, there, only={CARD_PATH})
    if publication.space is not None:
        space_plan = publication.space_plan(
            publication.space, revision=revision, commit=commit, endpoint=hub.endpoint if hub else "http://127.0.0.1"
        )
        space = _main(hub, space_plan.repo_id, repo_type="space")
        private = publication.private if publication.space.private is None else publication.space.private
        sdk, visibility = publication.space.readme_sdk, _visibility(private, space)
        yield f"space {space_plan.repo_id}, sdk {sdk}: {_state(space)}, {visibility}"
        yield from _file_lines(space_plan, space.tree)
        yield from _text_differences(hub, space_plan, space)
    yield from _retention_lines(hub, publication, revision, known=bool(branches))


def _main(hub: Hub | None, repo_id: str, *, repo_type: str) -> _ExistingRepository:
    if hub is None or not hub.has_repo(repo_id, repo_type=repo_type):
        return _ExistingRepository()
    commit = hub.branches(repo_id, repo_type=repo_type)[MAIN]
    return _ExistingRepository(hub.tree(repo_id, repo_type=repo_type, commit=commit), commit)


def _state(there: _ExistingRepository) -> str:
    return f"main is at {there.commit[:12]}" if there.commit else "new repository"


def _visibility(private: bool, there: _ExistingRepository) -> str:
    if there.commit:
        return "visibility as it is"
    return "private" if private else "public"


def _file_lines(plan: Plan, tree: Iterable[RemoteFile]) -> Iterator[str]:
    """Yields a line for each file that is planned or would go, and what of it must be sent."""
    remote = {file.path: file for file in tree if file.path not in HUB_OWN_FILES}
    to_send = 0
    for file in sorted(plan.files, key=lambda file: file.path):
        state = _file_state(file, remote.get(file.path))
        to_send += 0 if state == "same" else file.size_bytes
        yield f"  {state:<8}{file.size_bytes:>14,}  {file.sha256[:12]}  {file.path}"
    for path in sorted(remote.keys() - {file.path for file in plan.files}):
        yield f"  {'delete':<8}{remote[path].size_bytes:>14,}  {'':<12}  {path}"
    yield f"  {len(plan.files)} files, {plan.size_bytes:,} bytes; at most {to_send:,} to send"


def _file_state(planned: PlannedFile, there: RemoteFile | None) -> str:
    if there is None:
        return "new"
    return "changed" if planned.difference(there) else "same"


def _text_differences(
    hub: Hub | None, plan: Plan, there: _ExistingRepository, *, only: Iterable[str] | None = None
) -> Iterator[str]:
    """Yields unified differences of the rendered texts that are there already in another form."""
    remote: Mapping[str, RemoteFile] = {file.path: file for file in there.tree}
    for file in plan.files:
        wanted = file.path != MANIFEST_PATH and (only is None or file.path in only)
        if hub is None or not wanted or not isinstance(file.source, bytes):
            continue
        if file.path in remote and _file_state(file, remote[file.path]) == "changed":
            old = hub.read_file(plan.repo_id, path=file.path, commit=there.commit, repo_type=plan.repo_type)
            yield from _difference(old, file.source, path=file.path, old_name=there.commit[:12], new_name=plan.revision)


def _difference(old: bytes, new: bytes, *, path: str, old_name: str, new_name: str) -> Iterator[str]:
    before, after = (content.decode(errors="replace").splitlines() for content in (old, new))
    yield from difflib.unified_diff(before, after, f"{path} @ {old_name}", f"{path} @ {new_name}", lineterm="", n=1)


def _retention_lines(hub: Hub | None, publication: Publication, revision: str, *, known: bool) -> Iterator[str]:
    if not publication.keep_revisions:
        yield "old revisions: all stay"
        return
    old = retired_revisions(hub, publication, revision) if hub and known else []
    yield f"old revisions: the newest {publication.keep_revisions} stay; would be deleted: {', '.join(old) or 'none'}"
