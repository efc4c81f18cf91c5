"""Routes of the account: who am I, is this card valid, and is this server a local Hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub import __version__, front_matter
from hub.access import Identity, signed_in
from hub.bodies import read_json
from hub.errors import InvalidRequestError
from hub.names import KINDS
from hub.state import hub_state

# Of a role, as the Hub names them in its tokens.
PERMISSIONS: Final[Mapping[str, Sequence[str]]] = {
    "none": (),
    "read": ("repo.content.read",),
    "write": ("repo.content.read", "repo.write"),
}


def who_am_i(request: Request) -> Response:
    identity = signed_in(request)
    return JSONResponse(
        {
            "type": "user",
            "id": identity.name,
            "name": identity.name,
            "fullname": identity.name,
            "isPro": False,
            "orgs": [_organization(name, role=identity.role) for name in identity.organizations],
            "auth": {"type": "access_token", "accessToken": {"displayName": "local", **_rights(identity)}},
        }
    )


def _organization(name: str, *, role: str) -> dict[str, Any]:
    return {"type": "org", "id": name, "name": name, "fullname": name, "isEnterprise": False, "roleInOrg": role}


def _rights(identity: Identity) -> dict[str, Any]:
    """Returns the token's rights in the Hub's form, which has no role "none" and none that holds in every namespace."""
    permissions = PERMISSIONS[identity.role]
    if identity.namespaces is None and permissions:
        return {"role": identity.role, "fineGrained": _fine_grained(everywhere=permissions)}
    if permissions and identity.may_read(identity.name):
        return {"role": identity.role}  # its holder's own namespace, and the organisations
    scopes = [_scope(name, permissions) for name in sorted(identity.namespaces or ()) if permissions]
    return {"role": "fineGrained", "fineGrained": _fine_grained(scopes=scopes)}


def _fine_grained(*, everywhere: Sequence[str] = (), scopes: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    return {"canReadGatedRepos": False, "global": list(everywhere), "scoped": list(scopes)}


def _scope(name: str, permissions: Sequence[str]) -> dict[str, Any]:
    return {"entity": {"_id": name, "type": "org", "name": name}, "permissions": list(permissions)}


async def validate_yaml(request: Request) -> Response:
    body = await read_json(request)
    content, kind = body.get("content"), f"{body.get('repoType') or 'model'}s"
    if not isinstance(content, str) or kind not in KINDS:
        raise InvalidRequestError("A validation needs a README's content and the repoType.")
    errors, warnings = front_matter.validate(content, kind)
    answer = {"errors": [{"message": e} for e in errors], "warnings": [{"message": w} for w in warnings]}
    return JSONResponse(answer, status_code=400 if errors else 200)


def about(request: Request) -> Response:
    return JSONResponse({"storage_dir": str(hub_state(request).storage.root), "version": __version__})


ROUTES = [
    Route("/api/local-hub", about),
    Route("/api/whoami-v2", who_am_i),
    Route("/api/validate-yaml", validate_yaml, methods=["POST"]),
]
