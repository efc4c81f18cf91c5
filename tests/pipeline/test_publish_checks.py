"""Whether a run may publish to a Hub elsewhere: asked of a real server, behind a door that fails as told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from hub.access import Identity
from hub.server import create_app
from pipeline.config.sources import load_config
from pipeline.publish_checks import publish_problems
from publishing.client_settings import loopback_client
from publishing.connection import QUESTION, Patience
from tests.publishing.faulty_hub import Fault, FaultyHub
from tests.publishing.publications import serving

IDENTITIES = {
    "hf_of_anna": Identity("anna", "write", frozenset({"anna", "team"})),
    "hf_of_anna_to_read": Identity("anna", "read", frozenset({"anna"})),
    "hf_of_ben": Identity("ben", "write", frozenset({"ben", "others"})),
    "hf_of_carl_for_anna": Identity("carl", "write", frozenset({"anna"})),
    "hf_of_carl_for_others": Identity("carl", "write", frozenset({"others"})),
    "hf_without_rights": Identity("dora", "none"),
    "hf_of_everybody": Identity("root", "write"),
}
BRIEF = Patience(connect_seconds=1, silence_seconds=0.3, attempts=2)
AT_ONCE = Patience(connect_seconds=1, silence_seconds=5, attempts=1)
Ask = Callable[..., list[str]]


@pytest.fixture
def door(tmp_path: Path) -> FaultyHub:
    return FaultyHub(create_app(tmp_path / "hub", authenticate=IDENTITIES.get))


@pytest.fixture
def endpoint(door: FaultyHub) -> Iterator[str]:
    with serving(door) as address, loopback_client():
        yield address


@pytest.fixture
def ask(endpoint: str) -> Ask:
    def problems(token: str, *arguments: str, patience: Patience = AT_ONCE) -> list[str]:
        config = load_config(
            [
                *("--publish.endpoint", endpoint, "--publish.repo-id", "anna/model"),
                *("--publish.space-repo-id", "anna/demo", *arguments),
            ],
            {},
        )
        return list(publish_problems(config, {"HF_TOKEN": token}, patience=patience))

    return problems


@pytest.fixture(params=["absent", "public", "private"])
def state(request: pytest.FixtureRequest, endpoint: str) -> str:
    """Both repositories, made by their owner or not."""
    if request.param != "absent":
        api = HfApi(endpoint=endpoint, token="hf_of_anna")
        api.create_repo("anna/model", private=request.param == "private")
        api.create_repo("anna/demo", repo_type="space", space_sdk="gradio", private=request.param == "private")
    return str(request.param)


@pytest.mark.parametrize("token", ["hf_of_anna", "hf_of_carl_for_anna", "hf_of_everybody"])
def test_a_token_that_may_write_finds_nothing_in_the_way(ask: Ask, state: str, token: str, door: FaultyHub) -> None:
    door.requests.clear()

    assert ask(token) == []
    assert door.requests == [
        "GET /api/whoami-v2",
        "GET /api/models/anna/model/auth-check/write",
        "GET /api/spaces/anna/demo/auth-check/write",
    ]


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("hf_of_anna_to_read", "a token of anna that may only read. Make one with the role write."),
        (
            "hf_of_ben",
            "a token of ben, whose organisations are others. Name a repository of ben or of one of them, or take a "
            "token of anna.",
        ),
        (
            "hf_of_carl_for_others",
            "a fine-grained token of carl without repo.write for anna. Give it write access to the repositories of "
            "anna in the token's settings.",
        ),
        ("hf_without_rights", "a fine-grained token of dora without repo.write for anna."),
    ],
)
def test_every_repository_that_may_not_be_written_to_is_named(
    ask: Ask, state: str, token: str, words: str, endpoint: str
) -> None:
    model, space = ask(token)

    # To whom a private repository is not shown, it does not exist.
    seen = state == "public" or (state == "private" and token == "hf_of_anna_to_read")
    there = "a repository that is there" if seen else "a repository that has to be created"
    assert model.startswith(
        "publish.repo_id must name a model repository that the token in HF_TOKEN may write to. "
        f"Received: anna/model on {endpoint}, {there}, and {words}"
    )
    assert space.startswith("publish.space_repo_id must name a space repository that the token in HF_TOKEN may")
    assert token not in model + space


def test_an_organisation_of_the_tokens_owner_may_be_published_to(ask: Ask) -> None:
    assert ask("hf_of_anna", "--publish.repo-id", "team/model", "--publish.space-repo-id", "Team/demo") == []


def test_a_space_that_is_not_published_is_not_asked_about(ask: Ask, door: FaultyHub) -> None:
    assert len(ask("hf_of_ben", "--publish.space", "false")) == 1
    assert not any("spaces" in request for request in door.requests)


def test_a_refusal_that_whoami_does_not_explain_is_told_as_it_is(ask: Ask, door: FaultyHub) -> None:
    door.faults = [Fault("GET", "anna/model/auth-check/write", "answer", status=403)]

    (problem,) = ask("hf_of_anna")

    assert problem.endswith(
        "a repository that is there, and HTTP 403 to a token of anna. "
        "Ask for the right to write there, or name another repository."
    )


def test_an_owner_of_the_examples_is_not_asked_about(ask: Ask, door: FaultyHub) -> None:
    assert ask("hf_of_anna", "--publish.repo-id", "YOU/model") == []
    assert not any("YOU" in request for request in door.requests)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("", "the environment variable HF_TOKEN is empty. Set HF_TOKEN"),
        (" \n", "the environment variable HF_TOKEN is empty. Set HF_TOKEN"),
        ("hf_two\nlines", "Received: HF_TOKEN with some among its 12 characters. Copy the token again."),
        ("hf_ümlaut", "Received: HF_TOKEN with some among its 9 characters. Copy the token again."),
    ],
)
def test_a_token_that_cannot_be_sent_is_refused_without_being_sent(
    ask: Ask, token: str, words: str, door: FaultyHub
) -> None:
    (problem,) = ask(token)

    assert problem.startswith("publish.token_env: ")
    assert words in problem
    assert "ümlaut" not in problem
    assert door.requests == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("GET", "whoami", "answer", status=401), "HTTP 401"),
        (Fault("GET", "whoami", "answer", status=403), "HTTP 403 (told to fail)"),
        (Fault("GET", "whoami", "answer", status=500, times=2), "HTTP 500 (told to fail)"),
        (Fault("GET", "whoami", "answer", status=503, times=2), "HTTP 503 (told to fail)"),
        (Fault("GET", "whoami", "answer", status=200, times=2, body=b"<html>"), "not a Hub's (JSONDecodeError)"),
        (Fault("GET", "whoami", "answer", status=200, times=2, body=b'{"name": 1}'), "not a Hub's (ValidationError)"),
        (Fault("GET", "whoami", "hang", times=2), "no answer (ReadTimeout)"),
        (Fault("GET", "auth-check", "hang", times=2), "no answer (ReadTimeout)"),
        (Fault("GET", "auth-check", "answer", status=502, times=2), "HTTP 502 (told to fail)"),
    ],
)
def test_a_hub_that_fails_is_one_problem_within_a_bounded_time(
    ask: Ask, door: FaultyHub, fault: Fault, words: str, endpoint: str
) -> None:
    door.faults = [fault]
    start = time.monotonic()

    (problem,) = ask("hf_of_anna", patience=BRIEF)

    assert problem.startswith("publish.endpoint: The Hub must accept the request to tell ")
    assert words in problem
    assert f" from {endpoint}. " in problem
    assert problem.endswith(" Without publishing, set publish.enabled to false.")
    assert "hf_of_anna" not in problem
    assert time.monotonic() - start < 20  # two answers of 0.3 s and a pause of 0.5 s, on a machine that is busy


def test_a_hub_that_fails_for_a_moment_is_asked_again(ask: Ask, door: FaultyHub) -> None:
    door.faults = [Fault("GET", "whoami", "answer", status=503)]

    assert ask("hf_of_anna", patience=BRIEF) == []


def test_a_hub_that_repeats_the_token_does_not_get_it_into_a_message(ask: Ask, door: FaultyHub) -> None:
    door.faults = [Fault("GET", "whoami", "answer", status=403, body=b'{"error": "hf_of_anna may not"}')]

    (problem,) = ask("hf_of_anna")

    assert "HTTP 403 (*** may not)" in problem


def test_a_token_that_nobody_knows_is_refused_without_being_shown(ask: Ask) -> None:
    (problem,) = ask("hf_unknown")

    assert "HTTP 401" in problem
    assert "Put a valid token with write access into the environment variable HF_TOKEN." in problem
    assert "hf_unknown" not in problem


def test_a_hub_that_nobody_runs_is_one_problem_and_the_attempts_are_not_told(
    door: FaultyHub, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(door) as address:
        pass

    (problem,) = ask("hf_of_anna", "--publish.endpoint", address, patience=QUESTION)

    assert caplog.records == []

    assert f"Received: no answer (ConnectError) from {address}. Check publish.endpoint and the network" in problem


def test_the_embedded_hub_and_a_run_that_does_not_publish_are_not_asked(ask: Ask, door: FaultyHub) -> None:
    local = ("--publish.endpoint", "local", "--publish.repo-id", "local/a", "--publish.space-repo-id", "local/b")

    assert ask("", *local) == []
    assert ask("", "--publish.enabled", "false") == []
    assert door.requests == []
