"""Owners that stand in examples for the reader's own, and that were left as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.config import PipelineConfig

# Words in capitals, as examples write them; "your" makes no real owner in any case.
PLACEHOLDER = re.compile(
    r"YOU|USER|USERNAME|NAMESPACE|OWNER|ORG|ORGANI[SZ]ATION"
    r"|(?i:your[-_.]?(user|user[-_.]?name|name|namespace|org|organi[sz]ation|account|team))"
)
# The owner in a repository's name, or in the address of a model on a Hub.
OWNER = re.compile(r"(?:hub:|hf://)?([\w.-]+)/")


def owner_problems(config: PipelineConfig) -> Iterator[str]:
    """Yields a sentence for each repository whose owner is a placeholder."""
    for field, value in _repositories(config):
        if has_placeholder(value):
            yield (
                f"{field} must name a repository's real owner. Received: {value}, as examples write it. "
                "Put your user or organisation on the Hub in place of what is before the /."
            )


def has_placeholder(repository: str) -> bool:
    """Returns whether the owner of a repository, or of a model's address on a Hub, is a placeholder."""
    owner = OWNER.match(repository)
    return owner is not None and PLACEHOLDER.fullmatch(owner[1]) is not None


def _repositories(config: PipelineConfig) -> Iterator[tuple[str, str]]:
    """Yields each field that names a repository on a Hub, with its value."""
    publish = config.publish
    if config.model.preset is not None:
        yield "model.preset", config.model.preset
    if publish.enabled:
        yield from (("publish.datasets", dataset) for dataset in publish.datasets)
        yield "publish.repo_id", publish.repo_id
        if publish.space:
            yield "publish.space_repo_id", publish.space_repo_id
