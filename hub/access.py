"""The visitor who asks, and what they may see and change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from starlette.requests import Request

from hub.errors import (
    ForbiddenError,
    GatedRepoError,
    InvalidCredentialsError,
    InvalidRequestError,
    RepoNotFoundError,
)
from hub.names import DEFAULT_NAMESPACE, RepoId, repo_id
from hub.repository import Repository
from hub.state import hub_state

ROLES: Final = ("none", "read", "write")


@dataclass(frozen=True)
class Identity:
    """A user, as a token stands for one."""

    name: str
    role: Literal["none", "read", "write"]
    namespaces: frozenset[str] | None = None  # where the role holds; None: everywhere
    private_namespaces: frozenset[str] = frozenset()  # where new repositories are private unless told otherwise

    def may_read(self, namespace: str) -> bool:
        """Returns whether the user sees what is private there."""
        return self.role != "none" and self._covers(namespace)

    def may_write(self, namespace: str) -> bool:
        return self.role == "write" and self._covers(namespace)

    @property
    def organizations(self) -> list[str]:
        """Returns the namespaces of the user's role that are not the user's own, as far as they are named."""
        return sorted((self.namespaces or frozenset()) - {self.name})

    def _covers(self, namespace: str) -> bool:
        return self.namespaces is None or namespace in self.namespaces


Authenticate = Callable[[str], Identity | None]

LOCAL_USER: Final = Identity(DEFAULT_NAMESPACE, "write")


def accept_any_token(token: str) -> Identity | None:
    """Returns the local user for every token, which a Hub on loopback accepts."""
    return LOCAL_USER if token else None


def identify(request: Request) -> Identity | None:
    """Returns the user behind the request; None for a visitor without a token."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    identity = hub_state(request).authenticate(token.strip()) if scheme.lower() == "bearer" else None
    if identity is None:
        raise InvalidCredentialsError("Invalid credentials in Authorization header")
    return identity


def signed_in(request: Request) -> Identity:
    identity = identify(request)
    if identity is None:
        raise InvalidCredentialsError("Invalid username or password.")
    return identity


def writer(request: Request, namespace: str) -> Identity:
    """Returns the user, who may write in `namespace`."""
    identity = signed_in(request)
    if identity.role != "write":
        raise ForbiddenError("This token may only read." if identity.role == "read" else "This token has no rights.")
    if not identity.may_write(namespace):
        raise ForbiddenError(f"This token may not write to the namespace {namespace!r}.")
    return identity


def visible(repository: Repository, identity: Identity | None) -> bool:
    """Returns whether the visitor may know of the repository."""
    if not repository.settings.private:
        return True
    return identity is not None and identity.may_read(repository.id.namespace)


def check_gate(request: Request, repository: Repository) -> None:
    """Checks that the visitor may have the contents of a gated repository."""
    settings = repository.settings
    if not settings.gated:
        return
    identity = identify(request)
    if identity is None:
        raise GatedRepoError(f"Access to model {repository.id} is restricted. You must be signed in.", status=401)
    if not identity.may_read(repository.id.namespace) and identity.name not in settings.readers:
        raise GatedRepoError(f"Access to model {repository.id} is restricted and you are not in the authorized list.")


def requested_repo_id(request: Request) -> RepoId:
    """Returns the repository that the address names; a name that cannot exist is one that was not found."""
    parts = request.path_params
    try:
        return repo_id(parts.get("kind", "models"), parts["namespace"], parts["name"])
    except InvalidRequestError as error:
        raise RepoNotFoundError("Repository not found") from error


def readable_repository(request: Request) -> Repository:
    """Returns the repository of the address, where the visitor may see it; otherwise it does not exist for them."""
    identity = identify(request)
    try:
        repository = hub_state(request).storage.repository(requested_repo_id(request))
        hidden = not visible(repository, identity)
    except RepoNotFoundError:
        hidden = True
    if hidden:
        raise _unauthorized() if identity is None else RepoNotFoundError("Repository not found")
    return repository


def writable_repository(request: Request) -> tuple[Repository, Identity]:
    """Returns the repository of the address and the user who may change it."""
    repository = readable_repository(request)
    if identify(request) is None:
        raise _unauthorized()
    return repository, writer(request, repository.id.namespace)


def _unauthorized() -> RepoNotFoundError:
    """Returns the Hub's answer to a visitor without a token, whom it does not tell what exists."""
    return RepoNotFoundError("Invalid username or password.", status=401)
