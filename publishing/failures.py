"""Tells what a failed request to the Hub means: may it be repeated, may the Hub have acted, what can the user do."""

from __future__ import annotations

import json

import httpx2
import pydantic
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
)

from publishing.errors import HubError
from publishing.settings import LOCAL_TOKEN

NO_ANSWER = 0
FORBIDDEN = 403
NOT_FOUND = 404
CONFLICT = 409
PRECONDITION_FAILED = 412
MAX_PAUSE_SECONDS = 60.0

# An answer that is not the Hub's own (a proxy's page) cannot be read, lacks a member, or has one of another type.
NOT_A_HUBS = (json.JSONDecodeError, KeyError, pydantic.ValidationError)
# What the client raises. A download that gets no answer is reported as a file that is not in the local cache either.
FAILURES = (httpx2.HTTPError, OfflineModeIsEnabled, HFValidationError, LocalEntryNotFoundError, *NOT_A_HUBS)
# A commit also uploads: the client wraps what goes wrong there in a RuntimeError, or lists it in a ValueError.
COMMIT_FAILURES = (*FAILURES, RuntimeError, ValueError)


def unwrapped(error: Exception) -> Exception:
    """Returns the failure of a request that the client reports as a failed upload."""
    cause = error.__cause__
    return cause if isinstance(error, RuntimeError) and isinstance(cause, FAILURES) else error


def status_of(error: Exception) -> int:
    """Returns the HTTP status, 0 without an answer."""
    return error.response.status_code if isinstance(error, HfHubHTTPError) else NO_ANSWER


def is_temporary(error: Exception) -> bool:
    """Returns whether the same request may succeed a moment later."""
    status = status_of(error)
    no_answer = isinstance(error, (httpx2.TransportError, LocalEntryNotFoundError, *NOT_A_HUBS))
    return no_answer or status in (408, 429) or status >= 500


def is_unclear(error: Exception) -> bool:
    """Returns whether the Hub may have acted although the answer says otherwise, or does not say."""
    return is_temporary(error) or status_of(error) in (CONFLICT, PRECONDITION_FAILED)


def asked_pause_seconds(error: Exception) -> float:
    """Returns how many seconds the Hub asks to wait (`Retry-After`), within reason; 0 when it does not say."""
    text = error.response.headers.get("retry-after", "") if isinstance(error, HfHubHTTPError) else ""
    return min(float(text), MAX_PAUSE_SECONDS) if text.isascii() and text.isdecimal() else 0.0


def refusal(action: str, error: Exception, *, endpoint: str, token_env: str, token: object) -> HubError:
    """Returns the one message for the user: what was asked, what came back, and the way out; never the token."""
    status = status_of(error)
    if isinstance(error, OfflineModeIsEnabled):
        received, way_out = "offline mode", "Unset HF_HUB_OFFLINE."
    elif isinstance(error, NOT_A_HUBS):
        received, way_out = f"an answer that is not a Hub's ({type(error).__name__})", "Check publish.endpoint."
    elif isinstance(error, (HFValidationError, ValueError, RuntimeError)) and not status:
        received, way_out = _words(error), "Correct the value."
    elif status == NO_ANSWER:
        received = f"no answer ({type(error).__name__})"
        way_out = "Check publish.endpoint and the network, then run again."
    else:
        received = f"HTTP {status}{_server_words(error)}"
        way_out = _way_out(status, token_env)
    text = f"The Hub must accept the request to {action}. Received: {received} from {endpoint}. {way_out}"
    return HubError(_without_token(text, token), status=status)


def cause(error: Exception, token: object) -> Exception | None:
    """Returns `error`, unless its text holds the token (a Hub may echo it), which a traceback would then write into
    a log."""
    return None if isinstance(token, str) and token and token in f"{error!r}{error}" else error


def _way_out(status: int, token_env: str) -> str:
    if status == 401:
        return f"Put a valid token with write access into the environment variable {token_env}."
    if status == FORBIDDEN:
        return f"Give the token in {token_env} write access to this repository, or set another publish.repo_id."
    if status == NOT_FOUND:
        return f"Check publish.endpoint and publish.repo_id, and that the token in {token_env} may see the repository."
    if status in (CONFLICT, PRECONDITION_FAILED):
        return "Another publication was committed meanwhile; run again."
    if status == 413:
        return "A file is larger than this Hub takes; publish fewer formats with publish.exports."
    if status == 429:
        return "The Hub asks for fewer requests; run again in some minutes."
    if status >= 500:
        return "The Hub failed; nothing is half published. Run again later."
    return "Correct what the Hub names, then run again."


def _server_words(error: Exception) -> str:
    words = getattr(error, "server_message", None)
    return f" ({' '.join(str(words).split())})" if words else ""


def _words(error: Exception) -> str:
    """Returns the first lines of what the client says, as one."""
    return " ".join(" ".join(str(error).split()[:40]).split()) or type(error).__name__


def _without_token(text: str, token: object) -> str:
    """Returns the text without the token; that of the embedded Hub is no secret, and a word of repository names."""
    secret = isinstance(token, str) and token and token != LOCAL_TOKEN
    return text.replace(str(token), "***") if secret else text
