"""Publishes a plan: the model first, whole and checked, then `main`, then the Space.

1. The repository is created if absent. 2. On a branch `v20261121-225207-unfinished` one commit makes the repository
hold exactly the planned files. 3. The tree is read back and every checksum compared; only then does the commit get the
branch `v20261121-225207` (UTC), so that a dated revision is never seen in part. 4. `main` follows. The Hub's public API
cannot point `main` at an existing commit, so it gets one commit of the same files (the Hub has the large ones already
and is not sent them again): same tree, another commit id. `commit` below is the dated branch's, and that is what the
Space pins. 5. The Space gets one commit of its rendered template, naming the model's commit. 6. Old revisions go, where
the policy says so.

Killed anywhere and run again, it finishes: a dated revision that holds this model is not made twice, and an unfinished
branch is taken over. Every commit names the parent it was planned on, so two publishers at once cannot overwrite each
other unseen: the one that is outrun looks again. Of two revisions made at once, `main` and the Space end on the later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.components.hf_pusher.errors import HubError
from pipeline.components.hf_pusher.hub_client import Hub
from pipeline.components.hf_pusher.plan import (
    MANIFEST_PATH,
    SIGNATURE_PATH,
    Manifest,
    PastRevision,
    Plan,
    RemoteFile,
    read_manifest,
)
from pipeline.components.hf_pusher.publication import Publication, Published, PublishedSpace, SpaceTarget
from pipeline.components.hf_pusher.retention import delete_old_revisions
from pipeline.components.hf_pusher.revision_names import (
    dated_revisions,
    moment_of,
    revision_at,
    unfinished_branch,
    unfinished_revisions,
)

logger = logging.getLogger(__name__)

MAIN = "main"
TAKE_OVER = timedelta(hours=1)  # an unfinished branch is continued this long, and removed afterwards
CLOCKS_APART = timedelta(days=1)  # further ahead than this, a name is not taken for a clock's
_NAMES_TRIED = 60
_TIMES_OUTRUN = 10
_REVISIONS_LOOKED_AT = 10  # an older revision of the same model is not found again
_HISTORY = 10  # earlier revisions that a card lists


@dataclass(frozen=True)
class _Draft:
    """A branch on which a revision is made, and what it will hold."""

    plan: Plan
    branch: str
    head: str


@dataclass(frozen=True)
class Found:
    """A dated revision that is there already, just as it would be published."""

    plan: Plan
    commit: str


def publish(hub: Hub, publication: Publication, *, clock: Callable[[], datetime]) -> Published:
    """Publishes the model, moves `main`, then publishes the Space; what is there already is left alone.

    Args:
      hub: where to.
      publication: what.
      clock: the time in UTC, which names the revision.

    Raises:
      HubError: the Hub refused or failed; `main` and the Space are then on the revision that they were on, or
          on this one.
    """
    repo_id = publication.repo_id
    hub.ensure_repo(repo_id, repo_type="model", private=publication.private)
    branches = hub.branches(repo_id, repo_type="model")
    found = find_revision(hub, publication, branches)
    if found and unfinished_branch(found.plan.revision) in branches:
        _clear(hub, repo_id, branch=unfinished_branch(found.plan.revision))
    made = found or _push_revision(hub, publication, branches, clock=clock)
    plan, commit, revision = made.plan, made.commit, made.plan.revision
    main_commit, on_main = _move_main(hub, plan, commit=commit, before=branches[MAIN])
    space = None
    if publication.space is not None and on_main:
        space = _push_space(hub, publication, publication.space, plan, commit=commit)
    return Published(
        repo_id=repo_id,
        revision=revision,
        commit=commit,
        main_commit=main_commit,
        on_main=on_main,
        url=f"{hub.endpoint}/{repo_id}/tree/{revision}",
        already_published=found is not None,
        plan=plan,
        space=space,
        deleted_revisions=delete_old_revisions(hub, publication, revision) if on_main else (),
    )


def find_revision(hub: Hub, publication: Publication, branches: Mapping[str, str]) -> Found | None:
    """The dated revision that holds this very model already."""
    newest = dated_revisions(branches)[: -_REVISIONS_LOOKED_AT - 1 : -1]
    commits = dict.fromkeys([branches[MAIN], *(branches[name] for name in newest)])
    for commit in commits:
        plan = _plan_held_at(hub, publication, commit=commit)
        if plan is not None and plan.revision in branches:
            logger.info("%s holds this model already, as %s.", publication.repo_id, plan.revision)
            return Found(plan, branches[plan.revision])
    return None


def history_before(revision: str, branches: Mapping[str, str]) -> tuple[PastRevision, ...]:
    """The dated revisions earlier than `revision`, newest first, as many as a card lists."""
    earlier = [name for name in dated_revisions(branches) if name < revision]
    return tuple(PastRevision(name, branches[name]) for name in earlier[: -_HISTORY - 1 : -1])


def _plan_held_at(hub: Hub, publication: Publication, *, commit: str) -> Plan | None:
    """The publication's plan, under the revision and history that the manifest at `commit` names; None when the
    commit holds anything else."""
    tree = hub.tree(publication.repo_id, repo_type="model", commit=commit)
    manifest = _manifest_at(hub, publication.repo_id, commit=commit, tree=tree)
    if manifest is None:
        return None
    is_signed = publication.signer is not None and SIGNATURE_PATH in {file.path for file in tree}
    signature = hub.read_file(publication.repo_id, path=SIGNATURE_PATH, commit=commit) if is_signed else None
    plan = publication.plan(manifest.revision, history=manifest.history, signature=signature)
    return plan if not plan.differences(tree) and publication.accepts(plan) else None


def _manifest_at(hub: Hub, repo_id: str, *, commit: str, tree: Iterable[RemoteFile]) -> Manifest | None:
    if MANIFEST_PATH not in {file.path for file in tree}:
        return None
    return read_manifest(hub.read_file(repo_id, path=MANIFEST_PATH, commit=commit))


def _push_revision(
    hub: Hub, publication: Publication, branches: Mapping[str, str], *, clock: Callable[[], datetime]
) -> Found:
    """A new dated branch with the planned files in one commit, read back and compared."""
    repo_id = publication.repo_id
    for _ in range(_TIMES_OUTRUN):
        draft = _draft(hub, publication, branches, now=clock())
        commit, revision = _fill(hub, draft), draft.plan.revision
        if commit and hub.create_branch(repo_id, branch=revision, commit=commit):
            _clear(hub, repo_id, branch=draft.branch)
            logger.info("Published %s as %s, commit %s.", repo_id, revision, commit)
            return Found(draft.plan, commit)
        logger.info("Another publisher took the revision %s of %s; trying the next.", revision, repo_id)
        branches = hub.branches(repo_id, repo_type="model")
    raise _outrun(repo_id)


def _draft(hub: Hub, publication: Publication, branches: Mapping[str, str], *, now: datetime) -> _Draft:
    """A branch to work on: one that an earlier run left behind, or a new one."""
    repo_id = publication.repo_id
    for revision in reversed(unfinished_revisions(branches)):
        branch, head = unfinished_branch(revision), branches[unfinished_branch(revision)]
        started = moment_of(revision)
        if revision in branches or started is None or now - started > TAKE_OVER:
            _clear(hub, repo_id, branch=branch)
            continue
        plan = None
        if head == branches[MAIN]:
            plan = publication.new_plan(revision, history=history_before(revision, branches))
        elif (held := _plan_held_at(hub, publication, commit=head)) and held.revision == revision:
            plan = held
        if plan is not None:
            logger.info("Going on with %s of %s, which an earlier run left unfinished.", revision, repo_id)
            return _Draft(plan, branch, head)
    return _new_draft(hub, publication, branches, now=now)


def _new_draft(hub: Hub, publication: Publication, branches: Mapping[str, str], *, now: datetime) -> _Draft:
    repo_id, start = publication.repo_id, _after_the_newest(branches, now)
    for seconds in range(_NAMES_TRIED):
        revision = revision_at(start + timedelta(seconds=seconds))
        branch = unfinished_branch(revision)
        taken = revision in branches or branch in branches
        if not taken and hub.create_branch(repo_id, branch=branch, commit=branches[MAIN]):
            plan = publication.new_plan(revision, history=history_before(revision, branches))
            return _Draft(plan, branch, branches[MAIN])
    raise HubError(
        f"A revision needs a name of its own. Received: {_NAMES_TRIED} names from {revision_at(start)} on, all taken "
        f"in {repo_id}. Check this machine's clock."
    )


def _after_the_newest(branches: Mapping[str, str], now: datetime) -> datetime:
    """The present, or a moment after the newest revision where the clock of its publisher was a little ahead."""
    newest = max((moment for name in dated_revisions(branches) if (moment := moment_of(name))), default=None)
    ahead = newest is not None and now <= newest < now + CLOCKS_APART
    return newest + timedelta(seconds=1) if newest is not None and ahead else now


def _fill(hub: Hub, draft: _Draft) -> str | None:
    """The planned files in one commit on the draft's branch, read back; None when somebody else took the branch."""
    plan = draft.plan
    try:
        commit = hub.commit(plan, branch=draft.branch, parent=draft.head, message=plan.title)
    except HubError as error:
        if _was_taken(hub, plan.repo_id, draft):
            return None
        _clear(hub, plan.repo_id, branch=draft.branch)
        raise error
    _read_back(hub, plan, commit=commit)
    return commit


def _was_taken(hub: Hub, repo_id: str, draft: _Draft) -> bool:
    """Whether the draft's branch moved or went away; a Hub that cannot tell did not let anybody else take it."""
    try:
        return hub.branches(repo_id, repo_type="model").get(draft.branch) != draft.head
    except HubError:
        return False


def _clear(hub: Hub, repo_id: str, *, branch: str) -> None:
    """Removes an unfinished branch, if the Hub lets us; otherwise the next publication does."""
    try:
        hub.delete_branch(repo_id, branch=branch)
    except HubError as error:
        logger.warning("The branch %s of %s stays for now: %s", branch, repo_id, error)


def _move_main(hub: Hub, plan: Plan, *, commit: str, before: str) -> tuple[str, bool]:
    """`main` with the planned files; left alone when a later revision took it since it was at `before`.

    Returns:
      The head of `main`, and whether it is the plan's.
    """
    for _ in range(_TIMES_OUTRUN):
        head = hub.branches(plan.repo_id, repo_type="model")[MAIN]
        tree = hub.tree(plan.repo_id, repo_type="model", commit=head)
        if not plan.differences(tree):
            return head, True
        there = None if head == before else _manifest_at(hub, plan.repo_id, commit=head, tree=tree)
        if there is not None and there.revision > plan.revision:
            logger.info("main of %s stays on %s, which is later than %s.", plan.repo_id, there.revision, plan.revision)
            return head, False
        moved = _commit_unless_outrun(hub, plan, parent=head, description=f"Same files as {commit}.")
        if moved:
            _read_back(hub, plan, commit=moved)
            return moved, True
    raise _outrun(plan.repo_id)


def _push_space(
    hub: Hub, publication: Publication, target: SpaceTarget, model: Plan, *, commit: str
) -> PublishedSpace | None:
    """The Space's commit for the plan `model`; None when a later publication took `main`, and so the Space."""
    plan = publication.space_plan(target, revision=model.revision, commit=commit, endpoint=hub.endpoint)
    private = publication.private if target.private is None else target.private
    hub.ensure_repo(target.repo_id, repo_type="space", private=private, sdk=target.readme_sdk, hardware=target.hardware)
    for _ in range(_TIMES_OUTRUN):
        # In this order: a publication that takes `main` after the second line commits to the Space after the first.
        head = hub.branches(target.repo_id, repo_type="space")[MAIN]
        if model.differences(hub.tree(model.repo_id, repo_type="model", commit=MAIN)):
            logger.info("The Space %s follows the later revision on main.", target.repo_id)
            return None
        pushed: str | None = head
        if plan.differences(hub.tree(target.repo_id, repo_type="space", commit=head)):
            pushed = _commit_unless_outrun(hub, plan, parent=head)
        if pushed:
            _read_back(hub, plan, commit=pushed)
            logger.info("Space %s: %s, commit %s.", target.repo_id, plan.title, pushed)
            return PublishedSpace(target.repo_id, pushed, f"{hub.endpoint}/spaces/{target.repo_id}")
    raise _outrun(target.repo_id)


def _commit_unless_outrun(hub: Hub, plan: Plan, *, parent: str, description: str = "") -> str | None:
    """The plan's commit on `main`; None when `main` moved meanwhile."""
    try:
        return hub.commit(plan, branch=MAIN, parent=parent, message=plan.title, description=description)
    except HubError:
        if hub.branches(plan.repo_id, repo_type=plan.repo_type)[MAIN] == parent:
            raise
        return None


def _read_back(hub: Hub, plan: Plan, *, commit: str) -> None:
    problems = plan.differences(hub.tree(plan.repo_id, repo_type=plan.repo_type, commit=commit))
    if problems:
        raise HubError(
            f"What the Hub lists must equal what was sent. Received: {plan.repo_id} at {commit} with "
            f"{len(problems)} differences ({'; '.join(problems[:5])}). Run again."
        )


def _outrun(repo_id: str) -> HubError:
    return HubError(
        f"A publication needs a moment in which nobody else publishes. Received: {_TIMES_OUTRUN} commits by others to "
        f"{repo_id} meanwhile. Run again."
    )
