"""Deletes old revisions: all but the newest so many, never the one that `main` or a Space is on."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from publishing.errors import HubError
from publishing.revision_names import dated_revisions

if TYPE_CHECKING:
    from publishing.hub_client import Hub
    from publishing.publication import Publication

logger = logging.getLogger(__name__)


def old_revisions(branches: Iterable[str], *, keep: int, in_use: Collection[str]) -> list[str]:
    """Returns the dated revisions to delete, oldest first.

    Args:
      branches: names of all branches.
      keep: how many of the newest dated revisions stay; 0 keeps all.
      in_use: revisions that stay in any case.
    """
    dated = dated_revisions(branches)
    return [revision for revision in dated[:-keep] if revision not in in_use] if keep else []


def delete_old_revisions(hub: Hub, publication: Publication, revision: str) -> tuple[str, ...]:
    """Deletes what the policy lets go, and gives the names; trouble is logged, for the publication is done.

    Nothing is deleted while a Space that uses this model does not tell which revision it runs.
    """
    if not publication.keep_revisions:
        return ()
    deleted: list[str] = []
    try:
        for old in retired_revisions(hub, publication, revision):
            hub.delete_branch(publication.repo_id, branch=old)
            deleted.append(old)
            logger.info("Deleted the old revision %s of %s.", old, publication.repo_id)
    except HubError as error:
        logger.warning("Old revisions of %s stay until the next publication: %s", publication.repo_id, error)
    return tuple(deleted)


def retired_revisions(hub: Hub, publication: Publication, revision: str) -> list[str]:
    """Returns the revisions that go once `revision` is there, on `main` and on the publication's own Space."""
    repo_id, own = publication.repo_id, publication.space and publication.space.repo_id
    in_use = {revision}
    for space in hub.spaces_of(repo_id):
        served = revision if space == own else hub.served_revision(space, model=repo_id)
        if served is None:
            logger.warning("No old revision is deleted: the Space %s does not tell which one it runs.", space)
            return []
        in_use.add(served)
    branches = hub.branches(repo_id, repo_type="model")
    return old_revisions({*branches, revision}, keep=publication.keep_revisions, in_use=in_use)
