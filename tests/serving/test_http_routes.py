"""The plain routes, what a client must know about its answer, and what other clients must not notice."""

from __future__ import annotations

import concurrent.futures
import json
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.publishing.tiny_model import ANSWER, CONTEXT_LENGTH, END_TOKEN
from tests.serving.serving_process import Counted, Served

CANCELLED = 'serving_answers_total{reason="cancelled"}'
QUESTION = {"instruction": "What is the capital of France?"}


def test_a_question_is_answered(tiny_client: httpx.Client) -> None:
    answer = tiny_client.post("/generate", json=QUESTION | {"input": "Quick."}).json()

    assert answer["response"] == ANSWER
    assert answer["finish_reason"] == "stop"
    assert answer["usage"]["completion_tokens"] == 4
    assert answer["model"] == "tiny"
    assert answer["revision"].startswith("sha256-")
    assert answer["warnings"] == []


@pytest.mark.parametrize("address", ["/predict", "/v1/models/tiny:predict"])
def test_a_batch_is_answered_each_in_its_own_way(tiny_client: httpx.Client, address: str) -> None:
    batch = [QUESTION, QUESTION | {"max_new_tokens": 1}, QUESTION | {"stop": " na"}, {"instruction": " "}]
    predictions = tiny_client.post(address, json={"instances": batch}).json()["predictions"]

    assert [each["response"] for each in predictions] == [ANSWER, "Paris", "Paris,", ANSWER]
    assert [each["finish_reason"] for each in predictions] == ["stop", "length", "stop", "stop"]


def test_another_models_address_is_not_found(tiny_client: httpx.Client) -> None:
    answer = tiny_client.post("/v1/models/other:predict", json={"instances": [QUESTION]})

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"


def test_an_end_token_in_a_text_has_no_effect(tiny_client: httpx.Client) -> None:
    with_end, spaced = (
        tiny_client.post("/v1/completions", json={"prompt": f"a{text}b ### Response:\n"}).json()
        for text in (END_TOKEN, "<| endoftext |>")
    )
    chat = tiny_client.post(
        "/v1/chat/completions", json={"messages": [{"role": "user", "content": END_TOKEN * 3}]}
    ).json()

    assert with_end["usage"] == spaced["usage"]
    assert with_end["choices"] == spaced["choices"]
    assert chat["choices"][0]["message"]["content"] == ANSWER


def test_a_prompt_that_is_too_long_is_cut_at_its_start_and_the_answer_says_so(tiny_client: httpx.Client) -> None:
    long = {"instruction": "word " * 100}
    answer = tiny_client.post("/generate", json=long).json()
    stream = tiny_client.post(
        "/v1/chat/completions", json={"messages": [{"role": "user", "content": "word " * 100}], "stream": True}
    ).text
    last = json.loads(stream.split("data: ")[-2])

    assert answer["response"] == ANSWER
    assert answer["usage"]["prompt_tokens"] == CONTEXT_LENGTH - 24
    (warning,) = answer["warnings"]
    assert warning.startswith("The prompt was too long: its first ")
    assert last["warnings"] == answer["warnings"]


def test_an_empty_prompt_is_continued(tiny_client: httpx.Client) -> None:
    answer = tiny_client.post("/v1/completions", json={"prompt": ""})

    assert answer.status_code == 200
    assert answer.json()["usage"]["prompt_tokens"] == 1


@pytest.mark.parametrize("body", [
    b"", b"{", b"[" * 100_000, b"null", b"\xff\xfe", b'{"instruction": "\\ud800"}',
    b'{"instruction": "a", "max_new_tokens": 1' + b"0" * 5000 + b"}",
    b'{"instruction": "a", "temperature": NaN}', b'{"instruction": "a", "temperature": "0"}',
    b'{"instruction": "a", "instruktion": "b"}', b'{"instruction": 1}',
], ids=range(11))  # fmt: skip
def test_what_is_no_question_is_refused_in_openais_form(tiny_client: httpx.Client, body: bytes) -> None:
    answer = tiny_client.post("/generate", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_unknown_addresses_and_methods_are_refused_in_openais_form(tiny_client: httpx.Client) -> None:
    unknown, wrong = tiny_client.get("/v1/nothing"), tiny_client.get("/generate")

    assert (unknown.status_code, unknown.json()["error"]["type"]) == (404, "not_found_error")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


def test_the_pages_for_people_load_nothing_from_elsewhere(tiny_client: httpx.Client) -> None:
    page = tiny_client.get("/docs").text

    assert "/v1/chat/completions" in page
    assert "max_completion_tokens" in page
    assert "http" not in page.replace("html", "")
    assert tiny_client.get("/redoc").status_code == 404


def test_many_clients_at_once_all_get_their_answers(tiny_server: Served) -> None:
    def ask(number: int) -> str:
        with tiny_server.client() as client:
            return str(client.post("/generate", json=QUESTION | {"input": "x" * number}).json()["response"])

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(32))) == [ANSWER] * 32


def test_a_client_that_hangs_up_stops_its_answer(long_server: Served, long_client: httpx.Client) -> None:
    long = {"prompt": "a", "max_tokens": 512}
    for request in (long, long | {"stream": True}):
        before = Counted.read(long_client).figures
        with _connected(long_server, "/v1/completions", request) as connection:
            if "stream" in request:
                connection.recv(2000)
            else:
                _wait_until(lambda: Counted.read(long_client).figures["serving_running_answers"] == 1)
        _wait_until(lambda: Counted.read(long_client).figures["serving_running_answers"] == 0)
        after = Counted.read(long_client).figures

        _wait_until(lambda: CANCELLED in Counted.read(long_client).figures)
        assert after["serving_answer_tokens_total"] - before["serving_answer_tokens_total"] < 512


def test_a_client_that_does_not_read_keeps_nobody_waiting(long_server: Served, long_client: httpx.Client) -> None:
    request = {"prompt": "a", "max_tokens": 64}
    alone = long_client.post("/v1/completions", json=request).json()["choices"]
    with _connected(long_server, "/v1/completions", {"prompt": "b" * 50, "max_tokens": 512, "stream": True}):
        assert long_client.post("/v1/completions", json=request).json()["choices"] == alone


@pytest.mark.parametrize("size", [300_000, 100_000_000])
def test_a_body_that_is_too_large_is_refused(tiny_server: Served, tiny_client: httpx.Client, size: int) -> None:
    with _connected(tiny_server, "/generate", {}, length=size) as connection:
        sent = _send_zeros(connection, size)
        answer = connection.recv(4000)

    assert answer.startswith(b"HTTP/1.1 413 ") or sent < size
    assert tiny_client.post("/generate", json=QUESTION).json()["response"] == ANSWER


def test_a_body_without_a_length_is_refused_as_soon_as_it_is_too_large(tiny_client: httpx.Client) -> None:
    answer = tiny_client.post("/generate", content=(b"x" * 1000 for _ in range(400)))

    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "request_too_large"


def _connected(server: Served, address: str, request: dict[str, Any], *, length: int | None = None) -> socket.socket:
    """A connection on which a request was sent; or its head alone, if a length is given."""
    place = urlsplit(server.url)
    connection = socket.create_connection((place.hostname, place.port), timeout=20)
    body = json.dumps(request).encode()
    head = (
        f"POST {address} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body) if length is None else length}\r\n\r\n"
    )
    connection.sendall(head.encode() + (body if length is None else b""))
    return connection


def _send_zeros(connection: socket.socket, size: int) -> int:
    """Sends as much as the server takes."""
    sent = 0
    try:
        while sent < size:
            sent += connection.send(bytes(min(size - sent, 1_000_000)))
    except OSError:
        pass
    return sent


def _wait_until(holds: Any, *, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.01)
