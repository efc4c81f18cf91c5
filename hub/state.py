"""State that the routes share: one object per application, no globals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from starlette.requests import Request

from hub.storage import Storage

if TYPE_CHECKING:
    from hub.access import Authenticate
    from hub.chunked_uploads import ChunkedUploads
    from hub.multipart import MultipartUploads
    from hub.upload_links import UploadLinks


@dataclass(frozen=True)
class HubState:
    storage: Storage
    authenticate: Authenticate
    upload_links: UploadLinks
    multipart: MultipartUploads
    chunked: ChunkedUploads


def hub_state(request: Request) -> HubState:
    return cast(HubState, request.app.state.hub)


def base_url(request: Request) -> str:
    """Returns the address under which the client reached the server, without a trailing slash."""
    return str(request.base_url).rstrip("/")
