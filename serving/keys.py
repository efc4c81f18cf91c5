"""API keys: read from the environment, compared in constant time, and told from each other by names."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from serving.errors import RequestError, SettingsError
from serving.settings import KEYS_ENV, ServingSettings

SHORTEST = 16  # characters


@dataclass(frozen=True)
class ApiKeys:
    """Keys that the server takes, as digests: the keys themselves are nowhere in this object.

    Attributes:
      digests: SHA-256 of each key, with the name of who has it; empty if everybody may ask.
    """

    digests: tuple[tuple[str, bytes], ...] = ()

    @classmethod
    def read(cls, environment: Mapping[str, str], settings: ServingSettings) -> ApiKeys:
        """Reads `NAME=KEY` or `KEY`, several with commas between them.

        Raises:
          SettingsError: a key is too short, two are equal, or there is none and others can reach the server.
        """
        given = [part.strip() for part in environment.get(KEYS_ENV, "").split(",") if part.strip()]
        named = [_named(number, part) for number, part in enumerate(given, start=1)]
        if any(len(key) < SHORTEST or not re.fullmatch(r"[!-~]+", key) for _, key in named):
            raise SettingsError(
                f"A key has {SHORTEST} characters of ASCII or more, and no blanks. Received: another one among the "
                f"{len(named)} in {KEYS_ENV}. Make one with `openssl rand -hex 24`."
            )
        if len({key for _, key in named}) < len(named) or len({name for name, _ in named}) < len(named):
            raise SettingsError(f"Each key and each name is there once. Received: one twice in {KEYS_ENV}.")
        if not named and not settings.is_loopback:
            raise SettingsError(
                f"A server that others can reach needs API keys. Received: host {settings.host}, and nothing in "
                f"{KEYS_ENV}. Set {KEYS_ENV}=NAME=KEY, or listen on 127.0.0.1."
            )
        return cls(tuple((name, _digest(key)) for name, key in named))

    def client(self, authorization: str | None, *, address: str) -> str:
        """Returns who asks: the name of the key, or the address where there are no keys.

        Raises:
          RequestError: 401, the key is missing or wrong.
        """
        if not self.digests:
            return address
        scheme, _, key = (authorization or "").partition(" ")
        given = _digest(key.strip()) if scheme.lower() == "bearer" else b""
        # All are compared, so that the time tells nothing of which one it was.
        found = [name for name, digest in self.digests if hmac.compare_digest(digest, given)]
        if not found:
            raise RequestError(
                401,
                "A valid API key is needed. Send it as `Authorization: Bearer KEY`.",
                code="invalid_api_key",
            )
        return found[0]


def _named(number: int, part: str) -> tuple[str, str]:
    name, equals, key = part.partition("=")
    return (name, key) if equals and re.fullmatch(r"[\w.-]+", name) and key else (f"key-{number}", part)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
