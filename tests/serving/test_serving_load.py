"""Sixty-four clients at once: every answer but 429 comes, and the server does not grow."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import httpx
import pytest

from benchmarks.serving_load import Load, load, resident_megabytes
from tests.serving.serving_process import Counted, server_process

SECONDS = float(os.environ.get("SERVING_LOAD_SECONDS", "60"))
PROMPTS = [f"Question {'x' * number}?" for number in range(40)]


@pytest.mark.soak
def test_sixty_four_clients_get_answers_or_429_and_the_server_does_not_grow(
    long_revision: Path, tmp_path: Path
) -> None:
    flags = ("--answers-at-once", "1000", "--max-waiting", "16", "--batch-rows", "16")
    with server_process(str(long_revision), *flags, folder=tmp_path) as server:

        def visit(seconds: float) -> tuple[Load, int]:
            found = asyncio.run(load(server.url, PROMPTS, model="long", clients=64, seconds=seconds, tokens=64))
            return found, resident_megabytes(server.process.pid)

        warm, before = visit(SECONDS)  # until the heaps of all threads are as large as they get
        found, after = visit(SECONDS)
        with httpx.Client(base_url=server.url, trust_env=False) as client:
            figures = Counted.read(client).figures

    print(f"{found.statuses}, {found.tokens} tokens, {before} to {after} MB")  # noqa: T201 - for the run log
    assert set(warm.statuses) | set(found.statuses) == {200, 429}
    assert found.tokens == 64 * found.statuses[200]
    assert after <= before * 1.25  # in four minutes it came to an end (docs/run-log.md)
    assert figures["serving_running_answers"] == figures["serving_queue_answers"] == 0
