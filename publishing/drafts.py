"""Makes a dated revision on an unfinished branch, so that one with a revision's name is whole from its first moment."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from publishing.errors import MOST_COMMITS_BY_OTHERS, HubError, OutrunError
from publishing.hub_client import Hub
from publishing.plan import Plan
from publishing.publication import Publication
from publishing.revision_names import (
    MAIN,
    dated_revisions,
    moment_of,
    revision_at,
    unfinished_branch,
    unfinished_revisions,
)
from publishing.revisions import Revision, check_commit, history_before, plan_at

logger = logging.getLogger(__name__)

TAKEN_OVER_FOR = timedelta(hours=1)  # an unfinished branch is continued this long, and removed afterwards
MOST_CLOCK_DIFFERENCE = timedelta(days=1)  # further ahead than this, a name is not taken for a clock's
MOST_NAMES_TRIED = 60


@dataclass(frozen=True)
class _Draft:
    """A branch on which a revision is made, and what it will hold."""

    plan: Plan
    branch: str
    head: str


def push_revision(
    hub: Hub, publication: Publication, branches: Mapping[str, str], *, clock: Callable[[], datetime]
) -> Revision:
    """Makes a new dated branch with the planned files in one commit, read back and compared."""
    repo_id = publication.repo_id
    for _ in range(MOST_COMMITS_BY_OTHERS):
        draft = _draft(hub, publication, branches, now=clock())
        commit, revision = _commit_files(hub, draft), draft.plan.revision
        if commit and hub.create_branch(repo_id, branch=revision, commit=commit):
            clear_branch(hub, repo_id, branch=draft.branch)
            logger.info("Published %s as %s, commit %s.", repo_id, revision, commit)
            return Revision(draft.plan, commit)
        logger.info("Another publisher took the revision %s of %s; trying the next.", revision, repo_id)
        branches = hub.branches(repo_id, repo_type="model")
    raise OutrunError(repo_id)


def _draft(hub: Hub, publication: Publication, branches: Mapping[str, str], *, now: datetime) -> _Draft:
    """Returns a branch to work on: one that an earlier run left behind, or a new one."""
    repo_id = publication.repo_id
    for revision in reversed(unfinished_revisions(branches)):
        branch, head = unfinished_branch(revision), branches[unfinished_branch(revision)]
        started = moment_of(revision)
        if revision in branches or started is None or now - started > TAKEN_OVER_FOR:
            clear_branch(hub, repo_id, branch=branch)
            continue
        plan = None
        if head == branches[MAIN]:
            plan = publication.new_plan(revision, history=history_before(revision, branches))
        elif (held := plan_at(hub, publication, commit=head)) and held.revision == revision:
            plan = held
        if plan is not None:
            logger.info("Going on with %s of %s, which an earlier run left unfinished.", revision, repo_id)
            return _Draft(plan, branch, head)
    return _new_draft(hub, publication, branches, now=now)


def _new_draft(hub: Hub, publication: Publication, branches: Mapping[str, str], *, now: datetime) -> _Draft:
    repo_id, start = publication.repo_id, _moment_after_newest(branches, now)
    for seconds in range(MOST_NAMES_TRIED):
        revision = revision_at(start + timedelta(seconds=seconds))
        branch = unfinished_branch(revision)
        taken = revision in branches or branch in branches
        if not taken and hub.create_branch(repo_id, branch=branch, commit=branches[MAIN]):
            plan = publication.new_plan(revision, history=history_before(revision, branches))
            return _Draft(plan, branch, branches[MAIN])
    raise HubError(
        f"A revision needs a name of its own. Received: {MOST_NAMES_TRIED} names from {revision_at(start)} on, all "
        f"taken in {repo_id}. Check this machine's clock."
    )


def _moment_after_newest(branches: Mapping[str, str], now: datetime) -> datetime:
    """Returns the present, or a moment after the newest revision if its publisher's clock was a little ahead."""
    newest = max((moment for name in dated_revisions(branches) if (moment := moment_of(name))), default=None)
    ahead = newest is not None and now <= newest < now + MOST_CLOCK_DIFFERENCE
    return newest + timedelta(seconds=1) if newest is not None and ahead else now


def _commit_files(hub: Hub, draft: _Draft) -> str | None:
    """Commits the planned files to the draft's branch and reads them back; None when somebody else took the branch."""
    plan = draft.plan
    try:
        commit = hub.commit(plan, branch=draft.branch, parent=draft.head, message=plan.title)
    except HubError as error:
        if _is_taken(hub, plan.repo_id, draft):
            return None
        clear_branch(hub, plan.repo_id, branch=draft.branch)
        raise error
    check_commit(hub, plan, commit=commit)
    return commit


def _is_taken(hub: Hub, repo_id: str, draft: _Draft) -> bool:
    """Returns whether the draft's branch moved or went away; False where the Hub cannot tell."""
    try:
        return hub.branches(repo_id, repo_type="model").get(draft.branch) != draft.head
    except HubError:
        return False


def clear_branch(hub: Hub, repo_id: str, *, branch: str) -> None:
    """Removes an unfinished branch, if the Hub lets us; otherwise the next publication does."""
    try:
        hub.delete_branch(repo_id, branch=branch)
    except HubError as error:
        logger.warning("The branch %s of %s stays for now: %s", branch, repo_id, error)
