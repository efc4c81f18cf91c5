"""Tells where a token may write, as the Hub's `whoami-v2` and `auth-check` say, before anything costs time.

A classic token has a role, `read` or `write`, which holds in its owner's namespace and, as far as the owner's own role
there goes, in the owner's organisations. A fine-grained token (role `fineGrained`) lists its permissions by user,
organisation or repository. (https://huggingface.co/docs/hub/security-tokens)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from publishing.hub_client import Hub

WRITE = "repo.write"
FINE_GRAINED = "fineGrained"
_READ_ONLY = ("read", "no_access")
_RESPONSE = ConfigDict(frozen=True, populate_by_name=True)


class Obstacle(NamedTuple):
    """A reason why a token may not write somewhere, and what its owner can do about it."""

    received: str
    way_out: str


class Organization(BaseModel):
    """An organisation of the token's owner, and the owner's role in it."""

    model_config = _RESPONSE

    name: str
    role: str | None = Field(default=None, alias="roleInOrg")


class Entity(BaseModel):
    """The subject of a permission: a user, an organisation or a repository."""

    model_config = _RESPONSE

    name: str = ""


class Scope(BaseModel):
    """The permissions of a fine-grained token for one entity."""

    model_config = _RESPONSE

    entity: Entity
    permissions: tuple[str, ...] = ()


class FineGrained(BaseModel):
    """The permissions of a fine-grained token."""

    model_config = _RESPONSE

    everywhere: tuple[str, ...] = Field(default=(), alias="global")
    scoped: tuple[Scope, ...] = ()


class AccessToken(BaseModel):
    """The token's role, and its permissions if it is fine-grained."""

    model_config = _RESPONSE

    role: str = ""
    fine_grained: FineGrained = Field(default_factory=FineGrained, alias="fineGrained")


class Authentication(BaseModel):
    """The way a request was let in; without a token it was another way, such as OAuth."""

    model_config = _RESPONSE

    token: AccessToken | None = Field(default=None, alias="accessToken")


class Account(BaseModel):
    """The owner of a token."""

    model_config = _RESPONSE

    name: str
    type: str = "user"
    orgs: tuple[Organization, ...] = ()
    auth: Authentication = Field(default_factory=Authentication)

    def obstacle(self, repo_id: str) -> Obstacle | None:
        """Returns why the token cannot write to `repo_id`, or create it; None where nothing tells that it cannot."""
        token, owner = self.auth.token, repo_id.partition("/")[0]
        if token is None or self.type != "user" or WRITE in token.fine_grained.everywhere:
            return None
        if token.role == FINE_GRAINED:
            return None if _grants(token.fine_grained.scoped, {owner, repo_id}) else self._not_granted(owner)
        if token.role in _READ_ONLY:
            return Obstacle(f"a token of {self.name} that may only read", "Make one with the role write.")
        return self._foreign(owner)

    def _not_granted(self, owner: str) -> Obstacle:
        return Obstacle(
            f"a fine-grained token of {self.name} without {WRITE} for {owner}",
            f"Give it write access to the repositories of {owner} in the token's settings.",
        )

    def _foreign(self, owner: str) -> Obstacle | None:
        """Returns why a classic token that may write cannot do so in the namespace `owner`."""
        if owner.casefold() == self.name.casefold():
            return None
        roles = {organization.name.casefold(): organization.role for organization in self.orgs}
        if owner.casefold() not in roles:
            return Obstacle(
                f"a token of {self.name}, whose organisations are {', '.join(sorted(roles)) or 'none'}",
                f"Name a repository of {self.name} or of one of them, or take a token of {owner}.",
            )
        if roles[owner.casefold()] in _READ_ONLY:
            return Obstacle(
                f"a token of {self.name}, who may only read in the organisation {owner}",
                "Ask its administrator for the role write or contributor, or name another repository.",
            )
        return None


def _grants(scopes: Iterable[Scope], names: set[str]) -> bool:
    """Returns whether one of the scopes lets write to an entity of these names."""
    wanted = {name.casefold() for name in names}
    return any(WRITE in scope.permissions and scope.entity.name.casefold() in wanted for scope in scopes)


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
