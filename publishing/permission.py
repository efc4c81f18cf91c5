"""May the token publish where it is to? Asked of the Hub before anything costs time; changes nothing there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.components.hf_pusher.account import Account, Obstacle

if TYPE_CHECKING:
    from pipeline.components.hf_pusher.hub_client import Hub


@dataclass(frozen=True)
class Target:
    """A repository that will be written to."""

    setting: str  # how its name was set, such as publish.repo_id or --repo-id; for messages
    repo_id: str
    repo_type: str  # "model" | "space"


def permission_problems(hub: Hub, targets: Sequence[Target]) -> list[str]:
    """Returns a sentence for each target that the Hub's token may not write to.

    Whether one may write to a repository that is there, the Hub itself says. Of one that has to be created,
    `whoami` tells whether it can be.

    Raises:
      HubError: The Hub cannot be reached, fails, or does not know the token.
    """
    account = hub.account()
    return [problem for target in targets for problem in _problem(hub, account, target)]


def _problem(hub: Hub, account: Account, target: Target) -> Iterator[str]:
    may_write = hub.may_write(target.repo_id, repo_type=target.repo_type)
    obstacle = None if may_write else account.obstacle(target.repo_id)
    if may_write is False and obstacle is None:
        obstacle = Obstacle(
            f"HTTP 403 to a token of {account.name}", "Ask for the right to write there, or name another repository."
        )
    if obstacle is not None:
        state = "a repository that has to be created" if may_write is None else "a repository that is there"
        yield (
            f"{target.setting} must name a {target.repo_type} repository that the token in {hub.token_env} may write "
            f"to. Received: {target.repo_id} on {hub.endpoint}, {state}, and {obstacle.received}. {obstacle.way_out}"
        )
