"""Errors of the server.

ServingError
├── SourceError       (ValueError)    there is no such model
├── SettingsError     (ValueError)    the server cannot be started so
└── RequestError      (Exception)     answered to the client, in OpenAI's form
"""

from __future__ import annotations

from collections.abc import Mapping


class ServingError(Exception):
    """Base of the server's own errors; the message is for whoever started it."""

    user_message = True


class SourceError(ServingError, ValueError):
    """There is no such model."""


class SettingsError(ServingError, ValueError):
    """The server cannot be started so."""


class RequestError(Exception):
    """An error that is answered to the client.

    Args:
      status: of HTTP.
      message: for the client; repeats nothing of its text.
      param: the request's field that is wrong.
      code: OpenAI's word for it.
      retry_after_seconds: when to ask again.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.retry_after_seconds = retry_after_seconds

    def body(self) -> dict[str, object]:
        """Returns the answer in OpenAI's form."""
        return error_body(self.status, self.message, param=self.param, code=self.code)

    def headers(self) -> Mapping[str, str]:
        """Returns the headers of the answer."""
        headers = {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}
        if self.retry_after_seconds is not None:
            headers["Retry-After"] = str(self.retry_after_seconds)
        return headers


_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "service_unavailable_error",
}


def error_body(status: int, message: str, *, param: str | None = None, code: str | None = None) -> dict[str, object]:
    """Returns an error in OpenAI's form."""
    kind = _TYPES.get(status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
