"""Reads revisions from a Hub: finds one that was published before, and checks what a commit holds."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from publishing.errors import HubError
from publishing.files import RemoteFile
from publishing.hub_client import Hub
from publishing.manifest import MANIFEST_PATH, Manifest, PastRevision, read_manifest
from publishing.plan import SIGNATURE_PATH, Plan
from publishing.publication import Publication
from publishing.revision_names import MAIN, dated_revisions

logger = logging.getLogger(__name__)

REVISIONS_SEARCHED = 10  # an older revision of the same model is not found again
REVISIONS_LISTED = 10  # earlier revisions that a card lists


@dataclass(frozen=True)
class Revision:
    """A dated revision: what it holds, and its commit."""

    plan: Plan
    commit: str


def find_revision(hub: Hub, publication: Publication, branches: Mapping[str, str]) -> Revision | None:
    """Returns the dated revision that holds this very model already; None if there is none."""
    newest = dated_revisions(branches)[: -REVISIONS_SEARCHED - 1 : -1]
    commits = dict.fromkeys([branches[MAIN], *(branches[name] for name in newest)])
    for commit in commits:
        plan = plan_at(hub, publication, commit=commit)
        if plan is not None and plan.revision in branches:
            logger.info("%s holds this model already, as %s.", publication.repo_id, plan.revision)
            return Revision(plan, branches[plan.revision])
    return None


def history_before(revision: str, branches: Mapping[str, str]) -> tuple[PastRevision, ...]:
    """Returns the dated revisions earlier than `revision`, newest first, as many as a card lists."""
    earlier = [name for name in dated_revisions(branches) if name < revision]
    return tuple(PastRevision(name, branches[name]) for name in earlier[: -REVISIONS_LISTED - 1 : -1])


def plan_at(hub: Hub, publication: Publication, *, commit: str) -> Plan | None:
    """Returns the publication's plan, under the revision and history that the manifest at `commit` names; None when
    the commit holds anything else."""
    tree = hub.tree(publication.repo_id, repo_type="model", commit=commit)
    manifest = manifest_at(hub, publication.repo_id, commit=commit, tree=tree)
    if manifest is None:
        return None
    is_signed = publication.signer is not None and SIGNATURE_PATH in {file.path for file in tree}
    signature = hub.read_file(publication.repo_id, path=SIGNATURE_PATH, commit=commit) if is_signed else None
    plan = publication.plan(manifest.revision, history=manifest.history, signature=signature)
    return plan if not plan.differences(tree) and publication.accepts(plan) else None


def manifest_at(hub: Hub, repo_id: str, *, commit: str, tree: Iterable[RemoteFile]) -> Manifest | None:
    """Returns the manifest of a commit whose files are `tree`; None if it has none of ours."""
    if MANIFEST_PATH not in {file.path for file in tree}:
        return None
    return read_manifest(hub.read_file(repo_id, path=MANIFEST_PATH, commit=commit))


def check_commit(hub: Hub, plan: Plan, *, commit: str) -> None:
    """Reads the files of a commit back and compares every checksum with the plan's.

    Raises:
      HubError: they differ.
    """
    problems = plan.differences(hub.tree(plan.repo_id, repo_type=plan.repo_type, commit=commit))
    if problems:
        raise HubError(
            f"What the Hub lists must equal what was sent. Received: {plan.repo_id} at {commit} with "
            f"{len(problems)} differences ({'; '.join(problems[:5])}). Run again."
        )
