"""The server keeps to its own schema, whatever is sent: no error of its own, no answer that the schema leaves out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings

from serving.settings import ClientLimits
from tests.publishing.tiny_model import ANSWER
from tests.serving.serving_process import SETTINGS, Counted, Served, served

# The sizes of bodies and numbers of answers are no part of a schema, and are tested by themselves.
GENEROUS = replace(SETTINGS, body_bytes=10**7, client=ClientLimits(answers_at_once=10**6))
GENERATING = ("/v1/completions", "/v1/chat/completions", "/generate", "/predict", "/v1/models/{name}:predict")
READING = ("/v1/models", "/v1/models/{name}", "/health", "/ready", "/metrics")
OPERATIONS = [*(("POST", path) for path in GENERATING), *(("GET", path) for path in READING)]
KINDS = {"allowed": schemathesis.GenerationMode.POSITIVE, "forbidden": schemathesis.GenerationMode.NEGATIVE}
FUZZED = 10_000


@pytest.fixture(scope="module")
def server(tiny_revision: Path) -> Iterator[Served]:
    with served(tiny_revision, GENEROUS) as running:
        yield running


@pytest.fixture(scope="module")
def schema(server: Served) -> schemathesis.BaseSchema:
    loaded = schemathesis.openapi.from_dict(httpx.get(f"{server.url}/openapi.json", trust_env=False).json())
    loaded.config.update(base_url=server.url)
    return loaded


def send(operation: schemathesis.APIOperation, kind: str, *, examples: int, start: int = 0) -> int:
    """Sends requests that the schema allows, or such that it forbids, checks the answers, and returns how many."""
    session = requests.Session()
    session.trust_env = False
    sent = 0

    @seed(start)
    @settings(
        max_examples=examples,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(KINDS[kind]))
    def sends(case: schemathesis.Case) -> None:
        nonlocal sent
        sent += 1
        case.call_and_validate(session=session, timeout=60)

    sends()
    return sent


def test_the_schema_tells_every_route(schema: schemathesis.BaseSchema) -> None:
    told = [(result.ok().method.upper(), result.ok().path) for result in schema.get_all_operations()]

    assert sorted(told) == sorted(OPERATIONS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_what_the_schema_allows_is_answered_as_it_says(schema: schemathesis.BaseSchema, method: str, path: str) -> None:
    assert send(schema[path][method], "allowed", examples=15 if path in GENERATING else 3) > 0


@pytest.mark.parametrize("path", GENERATING)
def test_what_the_schema_forbids_is_refused(schema: schemathesis.BaseSchema, path: str) -> None:
    assert send(schema[path]["POST"], "forbidden", examples=20) == 20


@pytest.mark.soak
def test_ten_thousand_fuzzed_requests_leave_the_server_as_it_was(
    schema: schemathesis.BaseSchema, server: Served
) -> None:
    sent, turn, began = 0, 0, time.monotonic()
    while sent < FUZZED:
        for path in GENERATING:
            sent += sum(send(schema[path]["POST"], kind, examples=200, start=turn) for kind in KINDS)
        turn += 1
    with server.client() as client:
        answer = client.post("/generate", json={"instruction": "x"}).json()
        figures = Counted.read(client).figures

    assert answer["response"] == ANSWER
    assert figures["serving_running_answers"] == figures["serving_queue_answers"] == 0
    assert not [name for name in figures if 'status="5' in name]
    print(f"{sent} requests in {time.monotonic() - began:.0f} s")  # noqa: T201 - shown with -s, for the run log
