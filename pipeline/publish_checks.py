"""Checks of a publication before a run: the token, the Hub, and the right to write to each repository."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from pipeline.config import PipelineConfig
from pipeline.config.sources import UnknownValueError
from pipeline.placeholders import has_placeholder
from publishing.connection import QUESTION, Patience, connect
from publishing.errors import HubError, TokenError
from publishing.permissions import Target, permission_problems
from publishing.settings import LOCAL_ENDPOINT, HubSettings


def publish_problems(
    config: PipelineConfig, environment: Mapping[str, str], *, patience: Patience = QUESTION
) -> Iterator[str]:
    """Yields what would keep a run from publishing to a Hub elsewhere; the embedded one is the run's own.

    Args:
        config: says where to publish.
        environment: holds the token.
        patience: how long to wait for the Hub.
    """
    publish = config.publish
    if not publish.enabled or publish.endpoint == LOCAL_ENDPOINT:
        return
    try:
        settings = HubSettings(endpoint=publish.endpoint, token_env=publish.token_env)
        with connect(settings, environment=environment, patience=patience) as hub:
            yield from permission_problems(hub, targets(config))
    except TokenError as error:
        yield f"publish.token_env: {error} Without publishing, set publish.enabled to false."
    except HubError as error:
        yield f"publish.endpoint: {error} Without publishing, set publish.enabled to false."


def targets(config: PipelineConfig) -> list[Target]:
    """Returns the repositories that a run will write to, but for names that are refused by themselves."""
    publish, wanted = config.publish, []
    with suppress(UnknownValueError):
        wanted.append(Target("publish.repo_id", publish.repo_id, "model"))
    with suppress(UnknownValueError):
        if publish.space:
            wanted.append(Target("publish.space_repo_id", publish.space_repo_id, "space"))
    return [target for target in wanted if not _is_refused(target.repo_id)]


def _is_refused(repo_id: str) -> bool:
    """Returns whether a name is an example's, or one of the embedded Hub."""
    return has_placeholder(repo_id) or repo_id.startswith(f"{LOCAL_ENDPOINT}/")
