"""Parts of an address that may themselves contain a slash, such as a branch `feature/x` or a folder `a/b`.

The client sends their slashes quoted. A decoded path would lose the difference, so the middleware leaves
quoted slashes quoted until a route has been chosen.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlencode

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.state import base_url

_QUOTED_SLASH = re.compile(rb"%2f", re.IGNORECASE)


class QuotedSlashes:
    """Decodes the path of a request, all but its quoted slashes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw_path = scope.get("raw_path")
        if scope["type"] == "http" and raw_path:
            kept = _QUOTED_SLASH.sub(b"%252F", raw_path.partition(b"?")[0])
            scope = {**scope, "path": unquote(kept.decode("latin-1"))}
        await self._app(scope, receive, send)


def next_page(request: Request, **query: str) -> dict[str, str]:
    """Returns the header that leads to the same address with `query` changed."""
    path = request.scope["raw_path"].decode("latin-1")
    changed = {**dict(request.query_params.multi_items()), **query}
    return {"Link": f'<{base_url(request)}{path}?{urlencode(changed)}>; rel="next"'}


def path_part(request: Request, name: str, default: str = "") -> str:
    """Returns a part of the address with its slashes back."""
    value: str = request.path_params.get(name, default)
    return value.replace("%2F", "/")
