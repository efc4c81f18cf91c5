"""Opens a Hub: the token is read here, at the moment of use, and goes nowhere but into the client."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from publishing.client_settings import (
    CONNECT_SECONDS,
    LOOPBACK,
    SILENCE_SECONDS,
    client_with_timeouts,
    client_without_telemetry,
    loopback_client,
    plain_uploads,
)
from publishing.errors import EmbeddedHubError, TokenError
from publishing.settings import LOCAL_ENDPOINT, LOCAL_TOKEN, HubSettings

if TYPE_CHECKING:
    from publishing.hub_client import Hub


@dataclass(frozen=True)
class Patience:
    """Limits of waiting for a Hub."""

    connect_seconds: float = CONNECT_SECONDS
    silence_seconds: float = SILENCE_SECONDS
    attempts: int = 5  # of a request that the Hub does not answer, or answers with 429 or 5xx
    notice: int = logging.WARNING  # level of the line that tells of a further attempt


# For a question before a run, while somebody waits for the first line: only what comes of it is told.
QUESTION = Patience(connect_seconds=10.0, silence_seconds=20.0, attempts=2, notice=logging.DEBUG)

_PUBLIC_HUB = ("huggingface.co", "hf.co")


@contextmanager
def connect(
    settings: HubSettings,
    *,
    read_only: bool = False,
    environment: Mapping[str, str] = os.environ,
    patience: Patience = Patience(),
) -> Iterator[Hub]:
    """Opens the Hub that `settings` name; the embedded server runs as long as the context is open.

    Args:
      settings: which Hub.
      read_only: whether to go on as a visitor where there is no token.
      environment: holds the token.
      patience: how long to wait for the Hub's answers.

    Raises:
      TokenError: the variable `token_env` holds no token, or the token would be sent unencrypted.
      EmbeddedHubError: what the embedded server needs is not installed.
    """
    if settings.endpoint == LOCAL_ENDPOINT:
        with _embedded_hub(settings) as address, loopback_client(), _limited(patience):
            yield _hub(address, LOCAL_TOKEN, settings.token_env, patience=patience)
        return
    endpoint, name = settings.endpoint, settings.token_env
    is_visitor = read_only and not environment.get(name, "").strip()
    token = None if is_visitor else read_token(environment, name=name, endpoint=endpoint)
    with _limited(patience), client_without_telemetry(), nullcontext() if is_public(endpoint) else plain_uploads():
        yield _hub(endpoint, token, name, patience=patience)


def read_token(environment: Mapping[str, str], *, name: str, endpoint: str) -> str:
    """Returns the token in the variable `name`.

    Raises:
      TokenError: it is absent or blank, or `endpoint` would carry it unencrypted over a network.
    """
    address = urlsplit(endpoint)
    if address.scheme != "https" and address.hostname not in LOOPBACK:
        raise TokenError(f"A token travels over https only. Received: endpoint {endpoint}. Set an https address.")
    token = environment.get(name, "").strip()
    if not token:
        raise TokenError(
            f"Publishing to {endpoint} needs a token with write access. Received: the environment variable {name} is "
            f"empty. Set {name}, or publish to the embedded Hub with publish.endpoint = local."
        )
    if not re.fullmatch(r"[!-~]+", token):  # what a header can carry; the client's own error would quote it
        raise TokenError(
            f"A token has no blanks, line breaks or characters beyond ASCII. Received: {name} with some among its "
            f"{len(token)} characters. Copy the token again."
        )
    return token


def is_public(endpoint: str) -> bool:
    """Returns whether the address is one of huggingface.co's own."""
    host = urlsplit(endpoint).hostname or ""
    return host in _PUBLIC_HUB or host.endswith(tuple(f".{name}" for name in _PUBLIC_HUB))


def _embedded_hub(settings: HubSettings) -> AbstractContextManager[str]:
    """Returns a context in which the embedded server runs; it gives the server's address."""
    try:
        from hub import server
    except ModuleNotFoundError as error:
        raise EmbeddedHubError(
            f"The embedded Hub needs the extra `hub`. Received: no module {error.name}. "
            "Install gpt2-alpaca-pipeline[hub], or name the address of a Hub."
        ) from error
    return server.running(Path(str(settings.storage_dir)), port=settings.local_port)


def _hub(endpoint: str, token: str | None, token_env: str, *, patience: Patience) -> Hub:
    from huggingface_hub import HfApi

    from publishing.hub_client import Hub

    api = HfApi(endpoint=endpoint, token=token or False, library_name="gpt2-alpaca-pipeline")
    return Hub(api, token_env=token_env, attempts=patience.attempts, notice=patience.notice)


def _limited(patience: Patience) -> AbstractContextManager[None]:
    return client_with_timeouts(connect_seconds=patience.connect_seconds, silence_seconds=patience.silence_seconds)
