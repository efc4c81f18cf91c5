"""A publication and its outcome: one model, its card, its Space. Nothing here speaks to a Hub."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from publishing.card.facts import CardFacts, Findings
from publishing.card.model_card import write_card
from publishing.errors import PlanError
from publishing.exports import known_exports, plan_files
from publishing.files import PlannedFile
from publishing.manifest import PastRevision
from publishing.plan import Plan, plan_model, plan_space
from publishing.settings import PublishSettings
from publishing.space_template import (
    PLACEHOLDERS,
    check_template,
    read_template,
    render,
    space_sdk,
)

SPACE_EXPORT = "ctranslate2"


class Signer(Protocol):
    """Signs the files of a revision, and knows its own signatures again."""

    def sign(self, files: Sequence[PlannedFile]) -> bytes:
        """Returns the signature of the files."""

    def made(self, signature: bytes, files: Sequence[PlannedFile]) -> bool:
        """Returns whether this signer made the signature of just these files."""


@dataclass(frozen=True)
class SpaceTarget:
    """The Space to publish: its repository, and the template that it is rendered from."""

    repo_id: str
    template: Path
    private: bool | None = None  # None: as the model
    hardware: str | None = None  # the Hub's name of it, such as "cpu-upgrade"; None: the Hub's free default
    values: Mapping[str, str] = field(default_factory=dict)  # further placeholders of the template
    sdk: str | None = None  # "gradio" or "docker"; None: what the template's README names

    @property
    def readme_sdk(self) -> str:
        """Returns the SDK that the rendered README names."""
        return space_sdk(self.template, sdk=self.sdk)


@dataclass(frozen=True)
class Publication:
    """One model to publish: its files, its card's facts, its targets."""

    repo_id: str
    files: tuple[PlannedFile, ...]
    facts: CardFacts
    private: bool = False
    space: SpaceTarget | None = None
    keep_revisions: int = 0  # the newest so many dated revisions stay; 0: all of them
    signer: Signer | None = None  # None: the revision is not signed

    def plan(self, revision: str, *, history: tuple[PastRevision, ...] = (), signature: bytes | None = None) -> Plan:
        """Returns the plan of a revision that came after those in `history`; `signature` was made before."""
        plan = plan_model(
            self.files,
            repo_id=self.repo_id,
            revision=revision,
            history=history,
            write_card=lambda name: write_card(self.facts, repo_id=self.repo_id, revision=name, history=history),
        )
        return plan if signature is None else plan.signed(signature)

    def new_plan(self, revision: str, *, history: tuple[PastRevision, ...]) -> Plan:
        """Returns the plan of a revision that is about to be made, signed if it is to be."""
        plan = self.plan(revision, history=history)
        return plan if self.signer is None else plan.signed(self.signer.sign(plan.files))

    def accepts(self, plan: Plan) -> bool:
        """Returns whether a plan that was read back from a Hub is signed as this publication would be."""
        if self.signer is None:
            return plan.signature is None
        return plan.signature is not None and self.signer.made(plan.signature, plan.signed_files)

    def space_plan(self, target: SpaceTarget, *, revision: str, commit: str, endpoint: str) -> Plan:
        """Returns the plan of the Space that runs a revision of the model."""
        values = {
            **target.values,
            "MODEL_REPO_ID": self.repo_id,
            "MODEL_REPO_URL": f"{endpoint}/{self.repo_id}",
            "MODEL_VERSION": revision,
            "SHA": commit,
        }
        rendered = render(read_template(target.template, sdk=target.sdk), values)
        return plan_space(rendered, repo_id=target.repo_id, model=f"{self.repo_id}@{revision}", commit=commit)


@dataclass(frozen=True)
class PublishedSpace:
    """The Space that is on the Hub now."""

    repo_id: str
    commit: str
    url: str


@dataclass(frozen=True)
class Published:
    """The model that is on the Hub now, and its Space."""

    repo_id: str
    revision: str
    commit: str  # of the dated branch; `main` has the same files in a commit of its own
    main_commit: str
    on_main: bool  # False: a later publication took `main` meanwhile, and the Space is that one's too
    url: str
    already_published: bool  # this model was there before, under this revision
    plan: Plan
    space: PublishedSpace | None
    deleted_revisions: tuple[str, ...] = ()  # by the policy of keeping the newest only


def publication_of(
    model_folder: Path, settings: PublishSettings, *, found: Findings | None = None, signer: Signer | None = None
) -> Publication:
    """Returns the publication of a Trainer's model artifact; reads its files and checks the Space's template.

    Args:
      model_folder: the artifact.
      settings: what to publish, and where to.
      found: what the components before found, for the card.
      signer: signs the revision; None for an unsigned one.

    Raises:
      PlanError: an export is missing or unknown, or the Space cannot run without one.
      SpaceTemplateError: the template cannot be rendered.
    """
    space = space_target(settings)
    if space is not None:
        _check_space(space, settings.exports)
    return Publication(
        repo_id=settings.repo_id,
        files=plan_files(model_folder, settings.exports, own=settings.own_exports),
        facts=card_facts(model_folder, settings, found or Findings()),
        private=settings.private,
        space=space,
        keep_revisions=settings.keep_revisions,
        signer=signer,
    )


def space_target(settings: PublishSettings) -> SpaceTarget | None:
    """Returns where the Space goes; None where there is to be none."""
    if settings.space_repo_id is None:
        return None
    return SpaceTarget(
        repo_id=settings.space_repo_id,
        template=Path(str(settings.space_template)),
        private=settings.space_private,
        hardware=settings.space_hardware,
        values=settings.space_values,
        sdk=settings.space_sdk,
    )


def card_facts(model_folder: Path, settings: PublishSettings, found: Findings) -> CardFacts:
    """Returns what the card may say of a model artifact that is published with these settings."""
    return CardFacts(
        training=json.loads((model_folder / "exports" / "training.json").read_text(encoding="utf-8")),
        prompt=json.loads((model_folder / "exports" / "prompt.json").read_text(encoding="utf-8")),
        license=settings.license,
        endpoint=settings.endpoint,
        space_repo_id=settings.space_repo_id,
        exports=tuple(name for name in known_exports(settings.own_exports) if name in settings.exports),
        own_exports=settings.own_exports,
        family=settings.family,
        datasets=settings.datasets,
        found=found,
    )


def _check_space(space: SpaceTarget, exports: Collection[str]) -> None:
    check_template(space.template, sdk=space.sdk, placeholders=(*PLACEHOLDERS, *space.values))
    if SPACE_EXPORT not in exports:
        raise PlanError(
            f"The Space answers with the export {SPACE_EXPORT}. Received: {', '.join(exports)}. "
            f"Add {SPACE_EXPORT}, or publish no Space."
        )
