"""Addresses that allow one upload, as the Hub hands them out: the client sends no token with the bytes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlencode

from hub.errors import ForbiddenError
from hub.names import sha256_digest

LIFETIME_SECONDS: Final = 24 * 3600


class UploadLinks:
    """Signs and checks upload addresses with a secret that lives as long as the server."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._secret = secrets.token_bytes(32)
        self._clock = clock

    def path(self, sha256: str, size: int) -> str:
        """Path and query that accept these `size` bytes until the link expires."""
        expires = int(self._clock()) + LIFETIME_SECONDS
        query = {"size": size, "expires": expires, "signature": self._signature(sha256, size, expires)}
        return f"/lfs/objects/{sha256}?{urlencode(query)}"

    def check(self, sha256: str, query: Mapping[str, str]) -> int:
        """Bytes that the link allows.

        Raises:
            ForbiddenError: the link is not one of this server's, or has expired.
        """
        sha256_digest(sha256)
        size, expires = _number(query.get("size")), _number(query.get("expires"))
        expected = self._signature(sha256, size, expires)
        if not hmac.compare_digest(expected.encode(), query.get("signature", "").encode(errors="replace")):
            raise ForbiddenError("This upload link was not signed by this server; ask for a new one.")
        if expires < self._clock():
            raise ForbiddenError("This upload link has expired; ask for a new one.")
        return size

    def _signature(self, sha256: str, size: int, expires: int) -> str:
        return hmac.new(self._secret, f"{sha256} {size} {expires}".encode(), hashlib.sha256).hexdigest()


def _number(text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ForbiddenError("This upload link is not complete; ask for a new one.")
    return int(text)
