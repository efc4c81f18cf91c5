"""Who am I, is this card valid, and is this server a local Hub."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub import __version__, front_matter
from hub.access import signed_in
from hub.bodies import read_json
from hub.errors import InvalidRequestError
from hub.names import KINDS
from hub.state import hub_state


def who_am_i(request: Request) -> Response:
    identity = signed_in(request)
    token = {"displayName": "local", "role": identity.role}
    return JSONResponse(
        {
            "type": "user",
            "id": identity.name,
            "name": identity.name,
            "fullname": identity.name,
            "isPro": False,
            "orgs": [{"type": "org", "name": name, "fullname": name} for name in identity.organizations],
            "auth": {"type": "access_token", "accessToken": token},
        }
    )


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
