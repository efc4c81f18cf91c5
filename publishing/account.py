"""Whose a token is and where it may write, as a Hub's `whoami-v2` tells it.

A classic token has a role, `read` or `write`, which holds in its owner's namespace and, as far as the owner's own role
there goes, in the owner's organisations. A fine-grained token (role `fineGrained`) lists its permissions by user,
organisation or repository. (https://huggingface.co/docs/hub/security-tokens)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

WRITE = "repo.write"
FINE_GRAINED = "fineGrained"
_READ_ONLY = ("read", "no_access")
_FORM = ConfigDict(frozen=True, populate_by_name=True)


class Obstacle(NamedTuple):
    """Why a token may not write somewhere, and what its owner can do about it."""

    received: str
    way_out: str


class Organization(BaseModel):
    """An organisation of the token's owner, and the owner's role in it."""

    model_config = _FORM

    name: str
    role: str | None = Field(default=None, alias="roleInOrg")


class Entity(BaseModel):
    """What a permission is about: a user, an organisation or a repository."""

    model_config = _FORM

    name: str = ""


class Scope(BaseModel):
    """The permissions of a fine-grained token for one entity."""

    model_config = _FORM

    entity: Entity
    permissions: tuple[str, ...] = ()


class FineGrained(BaseModel):
    """The permissions of a fine-grained token."""

    model_config = _FORM

    everywhere: tuple[str, ...] = Field(default=(), alias="global")
    scoped: tuple[Scope, ...] = ()


class AccessToken(BaseModel):
    """The token's role, and its permissions if it is fine-grained."""

    model_config = _FORM

    role: str = ""
    fine_grained: FineGrained = Field(default_factory=FineGrained, alias="fineGrained")


class Authentication(BaseModel):
    """How the request was let in; without a token in it by another way, such as OAuth."""

    model_config = _FORM

    token: AccessToken | None = Field(default=None, alias="accessToken")


class Account(BaseModel):
    """The owner of a token."""

    model_config = _FORM

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
