"""Errors that can stop a publication or a download; every message is fit to be shown to a user, and none holds the
token.

PublishError (RuntimeError)
├── PlanError           the model artifact lacks a file, or two files want one place
├── SpaceTemplateError  the template cannot be rendered
├── TokenError          the variable that should hold the token is empty
├── SigningError        nothing can be signed or checked: no key, or no model-signing
├── EmbeddedHubError    what the embedded server needs is not installed
├── DownloadError       a published file arrived with other contents
├── NoModelError        a revision holds no model that training can start from
└── HubError            the Hub refused, failed, or could not be reached
    └── OutrunError     others publish to the same repository again and again
"""

from __future__ import annotations

from collections.abc import Sequence

MOST_COMMITS_BY_OTHERS = 10  # while one revision, or one branch `main`, is tried


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


class EmbeddedHubError(PublishError):
    """The packages of the embedded Hub are not installed."""


class DownloadError(PublishError):
    """A published file arrived with other contents than the Hub lists."""


class NoModelError(PublishError):
    """A revision holds no model that training can start from."""


class HubError(PublishError):
    """The Hub refused a request, failed, or could not be reached; `status` is its HTTP status, 0 for no answer."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class OutrunError(HubError):
    """Others publish to the same repository again and again."""

    def __init__(self, repo_id: str) -> None:
        super().__init__(
            "A publication needs a moment in which nobody else publishes. "
            f"Received: {MOST_COMMITS_BY_OTHERS} commits by others to {repo_id} meanwhile. Run again."
        )


def numbered(headline: str, problems: Sequence[str]) -> str:
    """Returns `headline` and all `problems` as one readable list.

    A problem may span lines; the later ones are indented under the first.
    """
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = [f"{headline}: {count}."]
    for number, problem in enumerate(problems, start=1):
        first, *rest = problem.splitlines()
        lines.append(f"  {number}. {first}")
        lines.extend(f"     {line}" for line in rest)
    return "\n".join(lines)
