"""Opens the Hub to publish to: the token is read here, at the moment of use, and goes nowhere but into the
client."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.components.hf_pusher.errors import TokenError

if TYPE_CHECKING:
    import httpx2

    from pipeline.components.hf_pusher.hub_client import Hub

LOCAL_ENDPOINT = "local"
# The embedded server takes any word; this one is no secret. A real token is never sent there.
LOCAL_TOKEN = "local"
# How long a Hub may be silent before a request counts as unanswered. Large files may take any time in all; the Hub
# checks a commit of many files for up to a minute before it answers.
CONNECT_SECONDS = 15.0
SILENCE_SECONDS = 150.0


@dataclass(frozen=True)
class Patience:
    """How long a Hub is waited for."""

    connect_seconds: float = CONNECT_SECONDS
    silence_seconds: float = SILENCE_SECONDS
    attempts: int = 5  # of a request that the Hub does not answer, or answers with 429 or 5xx
    notice: int = logging.WARNING  # level of the line that tells of a further attempt


# For a question before a run, while somebody waits for the first line: only what comes of it is told.
QUESTION = Patience(connect_seconds=10.0, silence_seconds=20.0, attempts=2, notice=logging.DEBUG)

_PUBLIC_HUB = ("huggingface.co", "hf.co")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@contextmanager
def connect(
    *,
    endpoint: str,
    token_env: str,
    storage_dir: str | None = None,
    local_port: int | None = None,
    read_only: bool = False,
    environment: Mapping[str, str] = os.environ,
    patience: Patience = Patience(),
) -> Iterator[Hub]:
    """The Hub at `endpoint`; for "local", the embedded server runs as long as the context is open.

    Args:
      endpoint: address, or "local".
      token_env: name of the variable with the token.
      storage_dir: folder of the embedded server.
      local_port: its port; DEFAULT_PORT of the server, or a free one, unless given.
      read_only: whether to go on as a visitor where there is no token.
      environment: holds the token.
      patience: how long to wait for its answers.

    Raises:
      TokenError: the variable `token_env` holds no token, or the token would be sent unencrypted.
    """
    if endpoint != LOCAL_ENDPOINT:
        is_visitor = read_only and not environment.get(token_env, "").strip()
        token = None if is_visitor else read_token(environment, name=token_env, endpoint=endpoint)
        with _impatient(patience), silent_client(), nullcontext() if is_public(endpoint) else plain_uploads():
            yield _hub(endpoint, token, token_env, patience=patience)
        return
    if storage_dir is None:
        raise ValueError("The embedded Hub needs a folder. Received: storage_dir=None.")
    from hub import server

    with server.running(Path(storage_dir), port=local_port) as address, loopback_client(), _impatient(patience):
        yield _hub(address, LOCAL_TOKEN, token_env, patience=patience)


def connect_as_told(properties: Mapping[str, Any]) -> AbstractContextManager[Hub]:
    """The Hub that a component's execution properties name: `endpoint`, `token_env`, and for the embedded server
    `storage_dir` and `local_port`. What it raises is :func:`connect`'s."""
    return connect(
        endpoint=properties["endpoint"],
        token_env=properties["token_env"],
        storage_dir=properties.get("storage_dir"),
        local_port=properties.get("local_port"),
    )


def read_token(environment: Mapping[str, str], *, name: str, endpoint: str) -> str:
    """The token in the variable `name`.

    Raises:
      TokenError: it is absent or blank, or `endpoint` would carry it unencrypted over a network.
    """
    address = urlsplit(endpoint)
    if address.scheme != "https" and address.hostname not in _LOOPBACK:
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
    """Whether the address is one of huggingface.co's own."""
    host = urlsplit(endpoint).hostname or ""
    return host in _PUBLIC_HUB or host.endswith(tuple(f".{name}" for name in _PUBLIC_HUB))


def _hub(endpoint: str, token: str | None, token_env: str, *, patience: Patience) -> Hub:
    from huggingface_hub import HfApi

    from pipeline.components.hf_pusher.hub_client import Hub

    api = HfApi(endpoint=endpoint, token=token or False, library_name="gpt2-alpaca-pipeline")
    return Hub(api, token_env=token_env, attempts=patience.attempts, notice=patience.notice)


def _impatient(patience: Patience) -> AbstractContextManager[None]:
    return impatient_client(connect_seconds=patience.connect_seconds, silence_seconds=patience.silence_seconds)


@contextmanager
def impatient_client(
    *, connect_seconds: float = CONNECT_SECONDS, silence_seconds: float = SILENCE_SECONDS
) -> Iterator[None]:
    """Makes the client give up on a Hub that is silent; of itself it would wait for ever.

    The limits are put onto whatever client the process uses (one may be set for a proxy or certificates).
    """
    import httpx2
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils import _http

    chosen = _http._GLOBAL_CLIENT_FACTORY

    limits = httpx2.Timeout(silence_seconds, connect=connect_seconds).as_dict()

    def limit(request: httpx2.Request) -> None:
        # Here and not as the client's own setting, which huggingface_hub overrides with "none" when it lists files.
        asked = request.extensions.get("timeout", {})
        request.extensions["timeout"] = {name: asked.get(name) or seconds for name, seconds in limits.items()}

    def limited() -> httpx2.Client:
        client = chosen()
        hooks = client.event_hooks
        client.event_hooks = {**hooks, "request": [*hooks.get("request", []), limit]}
        return client

    set_client_factory(limited)
    try:
        yield
    finally:
        set_client_factory(chosen)


@contextmanager
def silent_client() -> Iterator[None]:
    """Keeps the client from asking the public Hub which program uses it, whatever Hub it was made for."""
    from huggingface_hub import constants

    before = constants.HF_HUB_DISABLE_TELEMETRY
    constants.HF_HUB_DISABLE_TELEMETRY = True
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_TELEMETRY = before


@contextmanager
def plain_uploads() -> Iterator[None]:
    """Makes the client send large files by LFS, which every Hub understands.

    With hf_xet installed it would send them by Xet, whatever the Hub answers, and give up where there is none.
    """
    from huggingface_hub import constants

    before = constants.HF_HUB_DISABLE_XET
    constants.HF_HUB_DISABLE_XET = True
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_XET = before


@contextmanager
def loopback_client() -> Iterator[None]:
    """Makes the client speak plain LFS, reach loopback past any proxy, ask nobody else, and draw no bars.

    The first settings are read when the client is imported or first used, which may have happened long
    before.
    """
    from huggingface_hub import close_session
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    before = {name: os.environ.get(name) for name in ("NO_PROXY", "no_proxy")}
    bars_before = not are_progress_bars_disabled()
    bypass = ",".join(filter(None, (before["NO_PROXY"] or before["no_proxy"], *_LOOPBACK[:2])))
    os.environ.update({"NO_PROXY": bypass, "no_proxy": bypass})
    disable_progress_bars()
    close_session()
    try:
        with silent_client(), plain_uploads():
            yield
    finally:
        if bars_before:
            enable_progress_bars()
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        close_session()
