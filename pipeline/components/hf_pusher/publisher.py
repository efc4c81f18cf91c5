"""Publishes a plan: the model first, whole and checked, then `main`, then the Space.

1. The repository is created if absent, and a branch `v20261121-225207` (UTC) at the head of `main`. 2. One
commit on that branch makes it hold exactly the planned files. 3. The tree is read back and every checksum
compared. 4. `main` follows. The Hub's public API cannot point `main` at an existing commit, so it gets one
commit of the same
   files (the Hub has the large ones already and is not sent them again): same tree, another commit id.
   `commit` below is the dated branch's, and that is what the Space pins.
5. The Space gets one commit of its rendered template, naming the model's commit.

A model that is on the Hub already is not published twice: the manifest of `main`, or of the newest dated
branch, names a revision; if the plan for that revision equals the tree there, the publication takes up from
that point.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pipeline.components.hf_pusher.card import CardFacts, write_card
from pipeline.components.hf_pusher.errors import HubError
from pipeline.components.hf_pusher.hub_client import Hub
from pipeline.components.hf_pusher.plan import (
    MANIFEST_PATH,
    Plan,
    PlannedFile,
    plan_model,
    plan_space,
    revision_in_manifest,
)
from pipeline.components.hf_pusher.revision_names import dated_revisions, revision_at
from pipeline.components.hf_pusher.space_template import read_template, render

logger = logging.getLogger(__name__)

MAIN = "main"
_BRANCH_TRIES = 60


@dataclass(frozen=True)
class SpaceTarget:
    """Where the Space goes and what it is rendered from."""

    repo_id: str
    template: Path


@dataclass(frozen=True)
class Publication:
    """One model to publish: its files, its card's facts, its targets."""

    repo_id: str
    files: tuple[PlannedFile, ...]
    facts: CardFacts
    private: bool = False
    space: SpaceTarget | None = None

    def plan(self, revision: str) -> Plan:
        return plan_model(
            self.files,
            repo_id=self.repo_id,
            revision=revision,
            write_card=lambda name: write_card(self.facts, repo_id=self.repo_id, revision=name),
        )

    def space_plan(self, target: SpaceTarget, *, revision: str, commit: str, endpoint: str) -> Plan:
        values = {
            "MODEL_REPO_ID": self.repo_id,
            "MODEL_REPO_URL": f"{endpoint}/{self.repo_id}",
            "MODEL_VERSION": revision,
            "SHA": commit,
        }
        rendered = render(read_template(target.template), values)
        return plan_space(rendered, repo_id=target.repo_id, model=f"{self.repo_id}@{revision}", commit=commit)


@dataclass(frozen=True)
class PublishedSpace:
    repo_id: str
    commit: str
    url: str


@dataclass(frozen=True)
class Published:
    """What is on the Hub now."""

    repo_id: str
    revision: str
    commit: str  # of the dated branch; `main` has the same files in a commit of its own
    main_commit: str
    url: str
    already_published: bool  # this model was there before, under this revision
    plan: Plan
    space: PublishedSpace | None


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
    found = _find_revision(hub, publication, branches)
    revision, commit = found or _push_revision(hub, publication, branches, clock=clock)
    plan = publication.plan(revision)
    main_commit = _move_main(hub, plan, commit=commit)
    space = publication.space
    return Published(
        repo_id=repo_id,
        revision=revision,
        commit=commit,
        main_commit=main_commit,
        url=f"{hub.endpoint}/{repo_id}/tree/{revision}",
        already_published=found is not None,
        plan=plan,
        space=None if space is None else _push_space(hub, publication, space, revision=revision, commit=commit),
    )


def _find_revision(hub: Hub, publication: Publication, branches: dict[str, str]) -> tuple[str, str] | None:
    """The dated revision that holds this very model already, with its commit."""
    candidates = [branches[MAIN]] if MAIN in branches else []
    candidates += [branches[name] for name in dated_revisions(branches)[-1:]]
    for candidate in candidates:
        tree = hub.tree(publication.repo_id, repo_type="model", commit=candidate)
        if MANIFEST_PATH not in {file.path for file in tree}:
            continue
        manifest = hub.read_file(publication.repo_id, path=MANIFEST_PATH, commit=candidate)
        revision = revision_in_manifest(manifest)
        if revision in branches and not publication.plan(revision).differences(tree):
            logger.info("%s holds this model already, as %s.", publication.repo_id, revision)
            return revision, branches[revision]
    return None


def _push_revision(
    hub: Hub, publication: Publication, branches: dict[str, str], *, clock: Callable[[], datetime]
) -> tuple[str, str]:
    """A new dated branch with the planned files in one commit, read back and compared."""
    repo_id, base = publication.repo_id, branches[MAIN]
    revision = _create_dated_branch(hub, repo_id, base=base, now=clock())
    plan = publication.plan(revision)
    try:
        commit = hub.commit(plan, branch=revision, parent=base, message=plan.title)
    except HubError:
        _drop_unused_branch(hub, repo_id, branch=revision, base=base)
        raise
    _read_back(hub, plan, commit=commit)
    logger.info("Published %s as %s, commit %s.", repo_id, revision, commit)
    return revision, commit


def _create_dated_branch(hub: Hub, repo_id: str, *, base: str, now: datetime) -> str:
    for seconds in range(_BRANCH_TRIES):
        revision = revision_at(now + timedelta(seconds=seconds))
        if hub.create_branch(repo_id, branch=revision, commit=base):
            return revision
    raise HubError(
        f"A revision needs a name of its own. Received: {_BRANCH_TRIES} names from {revision_at(now)} on, all taken in "
        f"{repo_id}. Check this machine's clock."
    )


def _drop_unused_branch(hub: Hub, repo_id: str, *, branch: str, base: str) -> None:
    """Removes a dated branch that got no commit, if the Hub still answers, so that its name does not claim
    another model."""
    try:
        if hub.branches(repo_id, repo_type="model").get(branch) == base:
            hub.delete_branch(repo_id, branch=branch)
    except HubError as error:
        logger.warning("The unused revision %s of %s stays behind: %s", branch, repo_id, error)


def _move_main(hub: Hub, plan: Plan, *, commit: str) -> str:
    head = hub.branches(plan.repo_id, repo_type="model")[MAIN]
    if not plan.differences(hub.tree(plan.repo_id, repo_type="model", commit=head)):
        return head
    moved = hub.commit(plan, branch=MAIN, parent=head, message=plan.title, description=f"Same files as {commit}.")
    _read_back(hub, plan, commit=moved)
    return moved


def _push_space(
    hub: Hub, publication: Publication, target: SpaceTarget, *, revision: str, commit: str
) -> PublishedSpace:
    plan = publication.space_plan(target, revision=revision, commit=commit, endpoint=hub.endpoint)
    hub.ensure_repo(target.repo_id, repo_type="space", private=publication.private)
    head = hub.branches(target.repo_id, repo_type="space")[MAIN]
    if plan.differences(hub.tree(target.repo_id, repo_type="space", commit=head)):
        head = hub.commit(plan, branch=MAIN, parent=head, message=plan.title)
        _read_back(hub, plan, commit=head)
        logger.info("Space %s now serves %s, commit %s.", target.repo_id, plan.title, head)
    return PublishedSpace(repo_id=target.repo_id, commit=head, url=f"{hub.endpoint}/spaces/{target.repo_id}")


def _read_back(hub: Hub, plan: Plan, *, commit: str) -> None:
    problems = plan.differences(hub.tree(plan.repo_id, repo_type=plan.repo_type, commit=commit))
    if problems:
        raise HubError(
            f"What the Hub lists must equal what was sent. Received: {plan.repo_id} at {commit} with "
            f"{len(problems)} differences ({'; '.join(problems[:5])}). Run again."
        )
