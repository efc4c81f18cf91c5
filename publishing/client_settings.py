"""Settings of the process's own `huggingface_hub` client, put for the time of a connection and taken back after it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2

# How long a Hub may be silent before a request counts as unanswered. Large files may take any time in all; the Hub
# checks a commit of many files for up to a minute before it answers.
CONNECT_SECONDS = 15.0
SILENCE_SECONDS = 150.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@contextmanager
def client_with_timeouts(
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
def client_without_telemetry() -> Iterator[None]:
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
    bypass = ",".join(filter(None, (before["NO_PROXY"] or before["no_proxy"], *LOOPBACK[:2])))
    os.environ.update({"NO_PROXY": bypass, "no_proxy": bypass})
    disable_progress_bars()
    close_session()
    try:
        with client_without_telemetry(), plain_uploads():
            yield
    finally:
        if bars_before:
            enable_progress_bars()
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        close_session()
