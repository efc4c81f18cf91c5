"""A model on a Hub as a starting point: ``model.preset = hub:NAMESPACE/NAME[@REVISION]``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pipeline.layout import hub_folder

if TYPE_CHECKING:
    from pipeline.config import PipelineConfig

SCHEME = "hub:"
MAIN = "main"
_SPELLING = re.compile(r"hub:(?P<repo>[\w][\w.-]*/[\w][\w.-]*)(@(?P<revision>[^\s@]+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class HubModel(NamedTuple):
    """A revision of a model repository: a branch, a tag or a commit."""

    repo_id: str
    revision: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.repo_id}@{self.revision}"

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit, which never changes."""
        return _COMMIT.fullmatch(self.revision) is not None


def hub_model(preset: str | None) -> HubModel | None:
    """What `preset` names on a Hub; None for any other starting point.

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
    return HubModel(spelt["repo"], spelt["revision"] or MAIN)


def pinned(config: PipelineConfig) -> PipelineConfig:
    """The same configuration with the starting revision replaced by its commit, so that a moved branch is a new model
    to TFX's cache; the configuration itself if there is nothing to look up.

    Raises:
        HubError: If the Hub does not have the revision, refuses, or does not answer.
        TokenError: If there is no token for it.
    """
    start = hub_model(config.model.preset)
    if start is None or start.is_pinned:
        return config
    from pipeline.components.hf_pusher.connection import QUESTION, connect

    publish = config.publish
    with connect(
        endpoint=publish.endpoint,
        token_env=publish.token_env,
        storage_dir=str(hub_folder(config.output_dir)),
        local_port=0,  # for a look at the folder, any will do
        patience=QUESTION,
    ) as hub:
        commit = hub.commit_of(start.repo_id, revision=start.revision)
    model = config.model.model_copy(update={"preset": str(start._replace(revision=commit))})
    return config.model_copy(update={"model": model})
