"""Routes of the Hub that this server does not have, each with a sentence that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.errors import NotOfferedError

_REPO: Final = "/api/{kind}/{namespace}/{name}"
_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_NO_SPACES: Final = "The local Hub runs no Spaces; `make demo` runs the published one."
_SENTENCES: Final = {
    _REPO + "/discussions": "The local Hub has no discussions and no pull requests; commit to a branch.",
    _REPO + "/discussions/{rest:path}": "The local Hub has no discussions and no pull requests; commit to a branch.",
    _REPO + "/like": "The local Hub has no likes.",
    _REPO + "/likers": "The local Hub has no likes.",
    _REPO + "/lfs-files/duplicate": "The local Hub copies no large file from one repository to another; upload it.",
    _REPO + "/duplicate": "The local Hub duplicates no repositories; download and upload them.",
    "/api/spaces/{namespace}/{name}/runtime": _NO_SPACES,
    "/api/spaces/{namespace}/{name}/hardware": _NO_SPACES,
    "/api/spaces/{namespace}/{name}/sleeptime": _NO_SPACES,
    "/api/spaces/{namespace}/{name}/pause": _NO_SPACES,
    "/api/spaces/{namespace}/{name}/restart": _NO_SPACES,
    "/api/spaces/{namespace}/{name}/secrets": _NO_SPACES,
    "/api/spaces/{namespace}/{name}/variables": _NO_SPACES,
    "/api/spaces/{namespace}/{name}/volumes": _NO_SPACES,
    "/api/spaces/{namespace}/{name}/dev-mode": _NO_SPACES,
    "/api/collections": "The local Hub has no collections.",
    "/api/collections/{rest:path}": "The local Hub has no collections.",
    "/api/kernels/{rest:path}": "The local Hub has no kernels.",
    "/api/buckets/{rest:path}": "The local Hub has no buckets.",
    "/api/jobs/{rest:path}": "The local Hub runs no jobs.",
    "/api/settings/webhooks": "The local Hub has no webhooks.",
    "/api/settings/webhooks/{rest:path}": "The local Hub has no webhooks.",
}


def _refusing(sentence: str) -> Callable[[Request], Response]:
    def refuse(_request: Request) -> Response:
        raise NotOfferedError(sentence)

    return refuse


ROUTES = [Route(address, _refusing(sentence), methods=_METHODS) for address, sentence in _SENTENCES.items()]
