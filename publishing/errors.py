"""What can stop a publication; every message is fit to be shown to a user, and none ever holds the token."""

from __future__ import annotations


class PublishError(RuntimeError):
    """Base of all; `user_message` says that the message alone explains it."""

    user_message = True


class PlanError(PublishError):
    """The model artifact lacks a file that a revision must hold, or two files want the same place."""


class SpaceTemplateError(PublishError):
    """The Space template is incomplete, or names a placeholder that has no value."""


class TokenError(PublishError):
    """The environment variable that should hold the token is absent or blank."""


class SigningError(PublishError):
    """Nothing can be signed or checked: no key, a key of another kind, or no `model-signing`."""


class HubError(PublishError):
    """The Hub refused a request, failed, or could not be reached; `status` is its HTTP status, 0 for no answer."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
