"""A model on a Hub as the initial model: ``model.preset = hub:NAMESPACE/NAME[@REVISION]``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pipeline.layout import hub_folder
from publishing.revision_names import MAIN
from publishing.settings import HubSettings

if TYPE_CHECKING:
    from pipeline.config import PipelineConfig

SCHEME = "hub:"
_SPELLING = re.compile(r"hub:(?P<repo>[\w][\w.-]*/[\w][\w.-]*)(@(?P<revision>[^\s@]+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class HubRevision(NamedTuple):
    """A revision of a model repository: a branch, a tag or a commit."""

    repo_id: str
    revision: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.repo_id}@{self.revision}"

    @property
    def is_pinned(self) -> bool:
        """Returns whether the revision is a commit, which never changes."""
        return _COMMIT.fullmatch(self.revision) is not None


def hub_revision(preset: str | None) -> HubRevision | None:
    """Returns what `preset` names on a Hub; None for any other initial model.

    Raises:
        ValueError: If it begins so but is misspelt.
    """
    if preset is None or not preset.startswith(SCHEME):
        return None
    spelt = _SPELLING.fullmatch(preset)
    if spelt is None:
        raise ValueError(
            "A model on the Hub is written hub:namespace/name@revision; without a revision it is main. "
            f"Received: model.preset={preset!r}."
        )
    return HubRevision(spelt["repo"], spelt["revision"] or MAIN)


def pinned(config: PipelineConfig) -> PipelineConfig:
    """Returns the same configuration with the commit as the initial model's revision.

    A moved branch is then a new model to TFX's cache. Where there is nothing to look up, the configuration stays as it
    is.

    Raises:
        HubError: If the Hub does not have the revision, refuses, or does not answer.
        TokenError: If there is no token for it.
    """
    initial = hub_revision(config.model.preset)
    if initial is None or initial.is_pinned:
        return config
    from publishing.connection import QUESTION, connect

    with connect(preflight_hub_settings(config), patience=QUESTION) as hub:
        commit = hub.commit_of(initial.repo_id, revision=initial.revision)
    model = config.model.model_copy(update={"preset": str(initial._replace(revision=commit))})
    return config.model_copy(update={"model": model})


def preflight_hub_settings(config: PipelineConfig) -> HubSettings:
    """Returns how a run's Hub is asked before the run; for a look at the embedded one's folder, any port will do."""
    publish = config.publish
    storage_dir = str(hub_folder(config.output_dir))
    return HubSettings(endpoint=publish.endpoint, token_env=publish.token_env, storage_dir=storage_dir, local_port=0)
