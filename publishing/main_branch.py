"""Moves `main` of the model repository, then of the Space, to what is published."""

from __future__ import annotations

import logging

from publishing.errors import MOST_COMMITS_BY_OTHERS, HubError, OutrunError
from publishing.hub_client import Hub
from publishing.plan import Plan
from publishing.publication import Publication, PublishedSpace, SpaceTarget
from publishing.revision_names import MAIN
from publishing.revisions import check_commit, manifest_at

logger = logging.getLogger(__name__)


def move_main(hub: Hub, plan: Plan, *, commit: str, before: str) -> tuple[str, bool]:
    """Makes `main` hold the planned files; leaves it alone when a later revision took it since it was at `before`.

    Returns:
      The head of `main`, and whether it is the plan's.
    """
    for _ in range(MOST_COMMITS_BY_OTHERS):
        head = hub.branches(plan.repo_id, repo_type="model")[MAIN]
        tree = hub.tree(plan.repo_id, repo_type="model", commit=head)
        if not plan.differences(tree):
            return head, True
        there = None if head == before else manifest_at(hub, plan.repo_id, commit=head, tree=tree)
        if there is not None and there.revision > plan.revision:
            logger.info("main of %s stays on %s, which is later than %s.", plan.repo_id, there.revision, plan.revision)
            return head, False
        moved = _commit_unless_outrun(hub, plan, parent=head, description=f"Same files as {commit}.")
        if moved:
            check_commit(hub, plan, commit=moved)
            return moved, True
    raise OutrunError(plan.repo_id)


def push_space(
    hub: Hub, publication: Publication, target: SpaceTarget, model: Plan, *, commit: str
) -> PublishedSpace | None:
    """Publishes the Space for the plan `model`; None when a later publication took `main`, and so the Space."""
    plan = publication.space_plan(target, revision=model.revision, commit=commit, endpoint=hub.endpoint)
    private = publication.private if target.private is None else target.private
    hub.ensure_repo(target.repo_id, repo_type="space", private=private, sdk=target.readme_sdk, hardware=target.hardware)
    for _ in range(MOST_COMMITS_BY_OTHERS):
        # In this order: a publication that takes `main` after the second line commits to the Space after the first.
        head = hub.branches(target.repo_id, repo_type="space")[MAIN]
        if model.differences(hub.tree(model.repo_id, repo_type="model", commit=MAIN)):
            logger.info("The Space %s follows the later revision on main.", target.repo_id)
            return None
        pushed: str | None = head
        if plan.differences(hub.tree(target.repo_id, repo_type="space", commit=head)):
            pushed = _commit_unless_outrun(hub, plan, parent=head)
        if pushed:
            check_commit(hub, plan, commit=pushed)
            logger.info("Space %s: %s, commit %s.", target.repo_id, plan.title, pushed)
            return PublishedSpace(target.repo_id, pushed, f"{hub.endpoint}/spaces/{target.repo_id}")
    raise OutrunError(target.repo_id)


def _commit_unless_outrun(hub: Hub, plan: Plan, *, parent: str, description: str = "") -> str | None:
    """Commits the plan to `main`; None when `main` moved meanwhile."""
    try:
        return hub.commit(plan, branch=MAIN, parent=parent, message=plan.title, description=description)
    except HubError:
        if hub.branches(plan.repo_id, repo_type=plan.repo_type)[MAIN] == parent:
            raise
        return None
