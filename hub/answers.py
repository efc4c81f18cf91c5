"""Errors as HTTP answers, in the headers and JSON that the Hub's client reads."""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from hub.errors import HubError

# Addresses of repositories without a namespace, such as `gpt2`: none of them is here.
_UNSPACED_REPO = re.compile(
    r"/api/(?:models|datasets|spaces)/[^/]+(?:/(?:revision|tree|refs|commits?|preupload|paths-info|branch|tag)/.*)?"
    r"|/(?:(?:datasets|spaces)/)?[^/]+/resolve/.*"
)
_NOT_FOR_A_HEADER = re.compile(r"[^\x20-\x7e]")
_FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

logger = logging.getLogger(__name__)


def error_answer(
    status: int,
    message: str,
    *,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
    details: Mapping[str, str] | None = None,
) -> Response:
    """Returns an error as the client expects it: its code and message in headers, the message in the body too."""
    message = message.encode(errors="replace").decode()
    one_line = _NOT_FOR_A_HEADER.sub("?", " ".join(message.split()))[:1000]
    all_headers = {**(headers or {}), "X-Error-Message": one_line}
    if code is not None:
        all_headers["X-Error-Code"] = code
    return JSONResponse({"error": message, **(details or {})}, status_code=status, headers=all_headers)


def _hub_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HubError)
    return error_answer(error.status, error.message, code=error.code, headers=error.headers, details=error.details)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    unknown_repo = error.status_code == 404 and _UNSPACED_REPO.fullmatch(request.scope["path"])
    code = "RepoNotFound" if unknown_repo else None
    return error_answer(error.status_code, error.detail, code=code, headers=error.headers)


def _storage_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    logger.error("The storage failed: %s", error, exc_info=error)
    if error.errno in _FULL_DISK:
        return error_answer(507, "The Hub's disk is full; nothing was changed.")
    return error_answer(500, f"The Hub's storage failed ({error.strerror}); nothing was changed.")


def _gone_client(request: Request, _error: Exception) -> Response:
    logger.info("The client left in the middle of %s %s", request.method, request.url.path)
    return Response(status_code=499)


EXCEPTION_HANDLERS: Final[Mapping[Any, Any]] = {
    HubError: _hub_error,
    HTTPException: _http_error,
    ClientDisconnect: _gone_client,
    OSError: _storage_error,
}
