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

from collections.abc import Callable
from datetime import datetime

from publishing.drafts import clear_branch, push_revision
from publishing.hub_client import Hub
from publishing.main_branch import move_main, push_space
from publishing.publication import Publication, Published
from publishing.retention import delete_old_revisions
from publishing.revision_names import MAIN, unfinished_branch
from publishing.revisions import find_revision


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
        clear_branch(hub, repo_id, branch=unfinished_branch(found.plan.revision))
    made = found or push_revision(hub, publication, branches, clock=clock)
    plan, commit, revision = made.plan, made.commit, made.plan.revision
    main_commit, on_main = move_main(hub, plan, commit=commit, before=branches[MAIN])
    space = None
    if publication.space is not None and on_main:
        space = push_space(hub, publication, publication.space, plan, commit=commit)
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
