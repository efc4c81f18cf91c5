"""Addresses that allow one upload, as the Hub hands them out: the client sends no token with the bytes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from hub.errors import ForbiddenError
from hub.names import sha256_digest

LIFETIME_SECONDS: Final = 24 * 3600


@dataclass(frozen=True)
class UploadPermit:
    """One object of `size` bytes for one repository ("models/local/gpt2")."""

    size: int
    repository: str
    upload: str  # names this upload


@dataclass(frozen=True)
class UploadSession:
    """Any large files for one repository ("models/local/gpt2"), in chunks."""

    id: str
    repository: str
    token: str
    expires: int  # seconds since the epoch


class UploadLinks:
    """Signs and checks upload addresses with a secret that lives as long as the server."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._secret = secrets.token_bytes(32)
        self._clock = clock

    def query(self, sha256: str, size: int, repository: str) -> str:
        """Returns the query of addresses that accept these `size` bytes for `repository` until they expire."""
        expires = int(self._clock()) + LIFETIME_SECONDS
        signature = self._signature(sha256, size, repository, expires)
        return urlencode({"size": size, "repository": repository, "expires": expires, "signature": signature})

    def check(self, sha256: str, query: Mapping[str, str]) -> UploadPermit:
        """Returns the permit that the link carries.

        Raises:
            ForbiddenError: the link is not one of this server's, or has expired.
        """
        sha256_digest(sha256)
        size, expires = _number(query.get("size")), _number(query.get("expires"))
        repository, signature = query.get("repository", ""), query.get("signature", "")
        expected = self._signature(sha256, size, repository, expires)
        if not hmac.compare_digest(expected.encode(), signature.encode(errors="replace")):
            raise ForbiddenError("This upload link was not signed by this server; ask for a new one.")
        if expires < self._clock():
            raise ForbiddenError("This upload link has expired; ask for a new one.")
        return UploadPermit(size=size, repository=repository, upload=expected)

    def new_session(self, repository: str) -> UploadSession:
        """Returns a session with a token that holds until it expires."""
        session, expires = secrets.token_hex(8), int(self._clock()) + LIFETIME_SECONDS
        signature = self._signature(session, 0, repository, expires)
        return UploadSession(session, repository, f"{expires}.{signature}.{repository}", expires)

    def check_session(self, session: str, token: str) -> UploadSession:
        """Returns the session that the token is for.

        Raises:
            ForbiddenError: the token is not one of this server's for the session, or has expired.
        """
        number, _, rest = token.partition(".")
        signature, _, repository = rest.partition(".")
        expires = _number(number)
        expected = self._signature(session, 0, repository, expires)
        if not hmac.compare_digest(expected.encode(), signature.encode(errors="replace")):
            raise ForbiddenError("This upload token was not signed by this server; ask for a new one.")
        if expires < self._clock():
            raise ForbiddenError("This upload token has expired; ask for a new one.")
        return UploadSession(session, repository, token, expires)

    def _signature(self, sha256: str, size: int, repository: str, expires: int) -> str:
        text = f"{sha256} {size} {expires} {repository}".encode(errors="replace")
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()


def _number(text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ForbiddenError("This upload link is not complete; ask for a new one.")
    return int(text)
