"""Keys, limits, probes, figures, logs, and an end that cuts no answer."""

from __future__ import annotations

import concurrent.futures
import json
import logging
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from serving.answering.line import BatchRule
from serving.answering.rounds import RoundRule
from serving.client_limits import ClientBook
from serving.errors import RequestError, SettingsError
from serving.keys import ApiKeys
from serving.logs import JsonLines
from serving.service import Service
from serving.settings import KEYS_ENV, ClientLimits
from tests.publishing.tiny_model import ANSWER
from tests.serving.serving_process import NO_KEYS, SETTINGS, Counted, served, server_process

KEY, OTHER = "k" * 24, "o" * 24
QUESTION = {"instruction": "What is the capital of France?"}
SECRET = "a marked text that must not be logged"


def keys(text: str, *, host: str = "0.0.0.0") -> ApiKeys:
    return ApiKeys.read({KEYS_ENV: text}, replace(SETTINGS, host=host))


def test_a_server_that_others_reach_needs_keys() -> None:
    assert keys("", host="127.0.0.1").client(None, address="1.2.3.4") == "1.2.3.4"
    with pytest.raises(SettingsError, match=f"needs API keys. Received: host 0.0.0.0, and nothing in {KEYS_ENV}"):
        keys(" , ")


@pytest.mark.parametrize("wrong", ["short", "name=short", f"{KEY},{KEY}", f"a={KEY},a={OTHER}", f"{KEY} {OTHER}"])
def test_keys_that_are_weak_or_twice_there_are_refused_without_telling_them(wrong: str) -> None:
    with pytest.raises(SettingsError) as refused:
        keys(wrong)

    assert not any(part in str(refused.value) for part in (KEY, OTHER, "short"))


def test_a_key_tells_who_asks() -> None:
    known = keys(f"anna={KEY},{OTHER}")

    assert known.client(f"Bearer {KEY}", address="x") == "anna"
    assert known.client(f"bearer {OTHER}", address="x") == "key-2"
    assert KEY not in repr(known)
    for wrong in (None, "", KEY, f"Basic {KEY}", f"Bearer {KEY}x", "Bearer ", "Bearer \udcff"):
        with pytest.raises(RequestError) as refused:
            known.client(wrong, address="x")
        assert refused.value.status == 401


def test_without_a_key_there_are_probes_and_figures_only(tiny_revision: Path) -> None:
    with served(tiny_revision, keys=keys(f"anna={KEY}")) as server, server.client() as client:
        statuses = {path: client.get(path).status_code for path in
                    ("/health", "/ready", "/metrics", "/docs", "/openapi.json", "/v1/models")}  # fmt: skip
        refused = client.post("/generate", content=b"{")
        answer = client.post("/generate", json=QUESTION, headers={"Authorization": f"Bearer {KEY}"})

    assert statuses == dict.fromkeys(statuses, 200) | {"/v1/models": 401}
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert refused.json()["error"]["code"] == "invalid_api_key"
    assert answer.json()["response"] == ANSWER


def test_one_client_may_ask_so_often_a_minute_and_another_too() -> None:
    now = [0.0]
    book = ClientBook(ClientLimits(requests_per_minute=2), clock=lambda: now[0])

    def ask(client: str) -> int | None:
        try:
            with book.asking(client, answers=1):
                return None
        except RequestError as error:
            return error.retry_after_seconds

    assert [ask("a"), ask("a"), ask("b")] == [None, None, None]
    now[0] = 20.5
    assert (ask("a"), ask("b")) == (40, None)
    now[0] = 60.1
    assert ask("a") is None


def test_too_many_answers_of_one_client_are_refused_until_one_has_ended(long_revision: Path) -> None:
    settings = replace(SETTINGS, client=ClientLimits(answers_at_once=2))
    request = {"prompt": "a", "max_tokens": 4}
    with served(long_revision, settings) as server, server.client() as client:
        refused = client.post("/v1/completions", json=request | {"n": 3})
        answer = client.post("/v1/completions", json=request | {"n": 2})

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert len(answer.json()["choices"]) == 2


def test_a_full_line_is_told_with_when_to_ask_again(long_revision: Path) -> None:
    limits = replace(SETTINGS.limits, waiting=2, lanes=1, batch=BatchRule(rows=1))
    request = {"prompt": "a", "max_tokens": 200}
    with (
        served(long_revision, replace(SETTINGS, limits=limits)) as server,
        server.client() as client,
        concurrent.futures.ThreadPoolExecutor(8) as pool,
    ):
        answers = list(pool.map(lambda _: client.post("/v1/completions", json=request), range(8)))

    assert {answer.status_code for answer in answers} == {200, 429}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status_code == 429)
    assert all(answer.json()["error"]["code"] == "queue_full" for answer in answers if answer.status_code == 429)


def test_a_question_that_never_had_its_turn_is_told_so_and_an_answer_that_took_too_long_is_cut(
    long_revision: Path,
) -> None:
    limits = replace(SETTINGS.limits, lanes=1, batch=BatchRule(rows=1), round=RoundRule(tokens=10**6),
                     answer_seconds=0.2)  # fmt: skip
    with (
        served(long_revision, replace(SETTINGS, limits=limits)) as server,
        server.client() as client,
        concurrent.futures.ThreadPoolExecutor(4) as pool,
    ):
        requests = [{"prompt": "a", "max_tokens": 512, "stream": stream} for stream in (False, False, False, True)]
        answers = list(pool.map(lambda request: client.post("/v1/completions", json=request), requests))

    waited = [answer for answer in answers if "The question waited too long for its turn" in answer.text]
    cut = [answer for answer in answers if "The answer took too long and was cut." in answer.text]
    assert len(waited) + len(cut) == 4
    assert len(waited) > 0
    assert len(cut) > 0
    assert {answer.status_code for answer in cut} == {200}
    assert {answer.status_code for answer in waited} <= {200, 503}  # a stream had begun


def test_until_the_model_answers_the_server_lives_and_is_not_ready() -> None:
    service = Service(SETTINGS, NO_KEYS)
    from fastapi.testclient import TestClient

    from serving.app import create_app

    with TestClient(create_app(service)) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/ready").status_code == 503
        refused = client.post("/generate", json=QUESTION)

    assert (refused.status_code, refused.json()["error"]["type"]) == (503, "service_unavailable_error")
    assert refused.headers["retry-after"] == "5"


def test_figures_count_requests_tokens_queue_and_seconds(tiny_revision: Path) -> None:
    with served(tiny_revision) as server, server.client() as client:
        client.post("/generate", json=QUESTION)
        client.post("/generate", json={"instruction": "word " * 100})
        client.post("/generate", json={})
        figures = Counted.read(client).figures

    assert figures['serving_requests_total{route="/generate",status="200"}'] == 2
    assert figures['serving_requests_total{route="/generate",status="400"}'] == 1
    assert figures["serving_answer_tokens_total"] == 8
    assert figures["serving_cut_prompts_total"] == 1
    assert figures["serving_queue_answers"] == figures["serving_running_answers"] == 0
    assert figures["serving_first_token_seconds_count"] == figures["serving_token_seconds_count"] == 2
    assert figures['serving_answers_total{reason="stop"}'] == 2
    (model,) = [name for name in figures if name.startswith("serving_model{")]
    assert 'name="tiny"' in model


def test_logs_are_lines_of_json_without_texts_or_keys(tiny_revision: Path, tmp_path: Path) -> None:
    arguments = (str(tiny_revision),)
    environment = {KEYS_ENV: f"anna={KEY}"}
    with server_process(*arguments, folder=tmp_path, environment=environment) as server:
        with httpx.Client(base_url=server.url, trust_env=False, headers={"Authorization": f"Bearer {KEY}"}) as client:
            answer = client.post("/generate", json={"instruction": SECRET})
            client.post("/generate", json={"instruction": SECRET, "instruktion": SECRET})
            client.post(
                "/v1/completions", json={"prompt": f"{SECRET}\n\n### Response:\n", "logprobs": 2, "stream": True}
            )
            client.get(f"/{SECRET}", params={"q": SECRET})
        server.interrupt()
        server.process.wait(20)
        lines = server.logged()
        text = server.log.read_text()

    assert answer.json()["response"] == ANSWER
    assert [word for word in (SECRET, SECRET.replace(" ", "%20"), ANSWER, "Paris", KEY) if word in text] == []
    answers = [line for line in lines if line["message"] == "answer"]
    assert [line["answer_tokens"] for line in answers] == [4, 4]
    assert {line["client"] for line in answers} == {"anna"}
    requests = [line for line in lines if line["message"] == "request"]
    assert [line["status"] for line in requests] == [200, 400, 200, 404]
    assert requests[0]["request_id"] == answer.headers["x-request-id"]


def test_the_log_of_an_error_tells_its_place_and_not_its_message() -> None:
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", (), (ValueError, error, error.__traceback__))
    line = json.loads(JsonLines().format(record))

    assert line["error"] == "ValueError"
    assert __file__ in line["at"]
    assert SECRET not in json.dumps(line)


def test_at_its_start_the_server_tells_revision_instruction_set_and_precision(
    tiny_revision: Path, tmp_path: Path
) -> None:
    with server_process(str(tiny_revision), folder=tmp_path) as server:
        first, second = server.lines

    assert first.startswith("Serving tiny at sha256-")
    assert second.startswith("Answers are computed in float32 by CTranslate2 ")
    assert " instructions; " in second


def test_answers_in_the_making_are_finished_and_new_ones_refused(long_revision: Path, tmp_path: Path) -> None:
    with server_process(str(long_revision), folder=tmp_path) as server:
        with (
            httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client,
            client.stream("POST", "/v1/completions", json={"prompt": "a", "max_tokens": 512, "stream": True}) as answer,
        ):
            lines = answer.iter_lines()
            next(lines)
            server.interrupt()
            time.sleep(0.3)
            refused = httpx.post(f"{server.url}/generate", json=QUESTION, trust_env=False)
            ready = httpx.get(f"{server.url}/ready", trust_env=False)
            last = [line for line in lines if line][-2:]
        status = server.process.wait(20)

    assert (refused.status_code, ready.status_code) == (503, 503)
    assert refused.headers["retry-after"] == "5"
    assert json.loads(last[0].removeprefix("data: "))["choices"][0]["finish_reason"] == "length"
    assert last[1] == "data: [DONE]"
    assert status == 0


def test_a_killed_server_leaves_nothing_that_keeps_the_next_from_starting(long_revision: Path, tmp_path: Path) -> None:
    with server_process(str(long_revision), folder=tmp_path) as server:
        port = server.url.rpartition(":")[2]
        with (
            httpx.Client(base_url=server.url, trust_env=False) as client,
            client.stream("POST", "/v1/completions", json={"prompt": "a", "max_tokens": 512, "stream": True}) as answer,
        ):
            lines = answer.iter_lines()
            next(lines)
            os.kill(server.process.pid, signal.SIGKILL)
            with pytest.raises(httpx.RemoteProtocolError):
                list(lines)
    with server_process(str(long_revision), "--port", port, folder=tmp_path, keep_port=True) as again:
        answer = httpx.post(f"{again.url}/v1/completions", json={"prompt": "a", "max_tokens": 2}, trust_env=False)

    assert answer.json()["usage"]["completion_tokens"] == 2
    assert again.url.endswith(f":{port}")


@pytest.mark.parametrize(("arguments", "message"), [
    (("no/model", "--endpoint", "http://127.0.0.1:9"), "The Hub must accept the request to look up main of no/model."),
    (("nothing",), "A model is a folder, or namespace/name@revision on a Hub. Received: nothing."),
    (("--host", "0.0.0.0"), "A server that others can reach needs API keys."),
])  # fmt: skip
def test_a_server_that_cannot_start_says_why_in_a_sentence(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from serving.__main__ import main

    monkeypatch.setattr(logging.root, "handlers", logging.root.handlers[:])
    assert main([*arguments, "--port", "0"]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
