"""Errors of the Hub server.

HubError                     answered over HTTP, in the shape that the client turns into its own types
├── InvalidRequestError      400, also a ValueError
│   └── InvalidPathError     422
├── InvalidCredentialsError  401
├── RepoNotFoundError        404, or 401 for a visitor without a token; also a LookupError
├── RevisionNotFoundError    404, also a LookupError
├── EntryNotFoundError       404, also a LookupError
├── ForbiddenError           403
├── GatedRepoError           403, or 401 for a visitor without a token
├── ConflictError            409
├── ParentCommitError        412
├── TooLargeError            413
├── DigestMismatchError      422
├── NotOfferedError          501
└── OutOfRoomError           507
PortOccupiedError            raised when the server cannot start, also an OSError
TokenFileError               raised when the file of tokens cannot be used, also a ValueError
StorageUnusableError         raised when the storage folder cannot be used, also an OSError
"""

from __future__ import annotations

from collections.abc import Mapping


class HubError(Exception):
    """An answer other than success; `status` and `code` are what the client goes by."""

    status = 500
    code: str | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status or type(self).status
        self.headers = headers or {}
        self.details = details or {}  # further members of the answer's JSON


class InvalidRequestError(HubError, ValueError):
    status = 400


class InvalidCredentialsError(HubError):
    status = 401


class RepoNotFoundError(HubError, LookupError):
    status = 404
    code = "RepoNotFound"


class RevisionNotFoundError(HubError, LookupError):
    status = 404
    code = "RevisionNotFound"


class EntryNotFoundError(HubError, LookupError):
    status = 404
    code = "EntryNotFound"


class ForbiddenError(HubError):
    status = 403


class GatedRepoError(HubError):
    status = 403
    code = "GatedRepo"


class ConflictError(HubError):
    status = 409


class ParentCommitError(HubError):
    status = 412


class TooLargeError(HubError):
    status = 413


class InvalidPathError(InvalidRequestError):
    status = 422


class DigestMismatchError(HubError):
    status = 422


class NotOfferedError(HubError):
    status = 501


class OutOfRoomError(HubError):
    status = 507


class PortOccupiedError(OSError):
    user_message = True


class TokenFileError(ValueError):
    user_message = True


class StorageUnusableError(OSError):
    user_message = True
