"""What is to be published: one model, its card, its Space; and what came of it. Nothing here speaks to a Hub."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pipeline.components.hf_pusher.card import write_card
from pipeline.components.hf_pusher.card_facts import CardFacts, Findings
from pipeline.components.hf_pusher.errors import PlanError
from pipeline.components.hf_pusher.plan import (
    DEFAULT_EXPORTS,
    EXPORTS,
    PastRevision,
    Plan,
    PlannedFile,
    check_exports,
    plan_files,
    plan_model,
    plan_space,
)
from pipeline.components.hf_pusher.space_template import (
    PLACEHOLDERS,
    check_template,
    read_template,
    render,
    space_sdk,
)

SPACE_EXPORT = "ctranslate2"


class Signer(Protocol):
    """Signs the files of a revision, and knows its own signatures again."""

    def sign(self, files: Sequence[PlannedFile]) -> bytes: ...

    def made(self, signature: bytes, files: Sequence[PlannedFile]) -> bool: ...


@dataclass(frozen=True)
class SpaceTarget:
    """Where the Space goes and what it is rendered from."""

    repo_id: str
    template: Path
    private: bool | None = None  # None: as the model
    hardware: str | None = None  # the Hub's name of it, such as "cpu-upgrade"; None: the Hub's free default
    values: Mapping[str, str] = field(default_factory=dict)  # further placeholders of the template
    sdk: str | None = None  # "gradio" or "docker"; None: what the template's README names

    @property
    def readme_sdk(self) -> str:
        """What the rendered README names."""
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
        """The plan of a revision that came after those in `history`; `signature` is one that was made before."""
        plan = plan_model(
            self.files,
            repo_id=self.repo_id,
            revision=revision,
            history=history,
            write_card=lambda name: write_card(self.facts, repo_id=self.repo_id, revision=name, history=history),
        )
        return plan if signature is None else plan.signed(signature)

    def new_plan(self, revision: str, *, history: tuple[PastRevision, ...]) -> Plan:
        """The plan of a revision that is about to be made, signed if it is to be."""
        plan = self.plan(revision, history=history)
        return plan if self.signer is None else plan.signed(self.signer.sign(plan.files))

    def accepts(self, plan: Plan) -> bool:
        """Whether a plan that was read back from a Hub is signed as this publication would be."""
        if self.signer is None:
            return plan.signature is None
        return plan.signature is not None and self.signer.made(plan.signature, plan.signed_files)

    def space_plan(self, target: SpaceTarget, *, revision: str, commit: str, endpoint: str) -> Plan:
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
    on_main: bool  # False: a later publication took `main` meanwhile, and the Space is that one's too
    url: str
    already_published: bool  # this model was there before, under this revision
    plan: Plan
    space: PublishedSpace | None
    deleted_revisions: tuple[str, ...] = ()  # by the policy of keeping the newest only


def publication_of(
    model_folder: Path,
    *,
    repo_id: str,
    endpoint: str,
    license: str | None = None,
    private: bool = False,
    exports: Collection[str] = DEFAULT_EXPORTS,
    keep_revisions: int = 0,
    space: SpaceTarget | None = None,
    datasets: Sequence[str] = (),
    found: Findings | None = None,
    signer: Signer | None = None,
) -> Publication:
    """The publication of a Trainer's model artifact; reads its files and checks the Space's template.

    Raises:
      PlanError: an export is missing or unknown, or the Space cannot run without one.
      SpaceTemplateError: the template cannot be rendered.
    """
    check_exports(exports)
    if space is not None:
        check_template(space.template, sdk=space.sdk, placeholders=(*PLACEHOLDERS, *space.values))
        if SPACE_EXPORT not in exports:
            raise PlanError(
                f"The Space answers with the export {SPACE_EXPORT}. Received: {', '.join(exports)}. "
                f"Add {SPACE_EXPORT}, or publish no Space."
            )
    files = plan_files(model_folder, exports)
    return Publication(
        repo_id=repo_id,
        files=files,
        facts=CardFacts(
            training=json.loads((model_folder / "exports" / "training.json").read_text()),
            prompt=json.loads((model_folder / "exports" / "prompt.json").read_text()),
            license=license,
            endpoint=endpoint,
            space_repo_id=space.repo_id if space else None,
            exports=tuple(name for name in EXPORTS if name in exports),
            datasets=tuple(datasets),
            found=found or Findings(),
        ),
        private=private,
        space=space,
        keep_revisions=keep_revisions,
        signer=signer,
    )
