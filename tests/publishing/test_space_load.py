"""Visitors of the published Space, all at once, over Gradio's own protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks.space_load import INSTRUCTION, free_port, visit
from hub import demo, server
from publishing.client_settings import loopback_client
from publishing.publisher import publish
from tests.publishing.publications import hub_at, noon, publication_of
from tests.publishing.tiny_model import ANSWER

pytestmark = pytest.mark.load


@pytest.fixture(scope="module")
def address(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("space-load")
    with loopback_client(), server.running(folder / "hub", port=0) as endpoint:
        publish(hub_at(endpoint), publication_of(model_folder), clock=noon)
        port = urlsplit(endpoint).port or 0
        options = demo.Options(folder / "hub", port, free_port(), None, folder / "demo")
        with demo.serving(options) as (page, _):
            yield page


def test_sixteen_visitors_at_once_all_get_their_answers(address: str) -> None:
    answers = visit(address, visitors=16, questions=2, max_new_tokens=24)

    assert [answer.text for answer in answers] == [ANSWER] * 32
    assert all(answer.states > 1 for answer in answers), "an answer did not come token by token"
    assert max(answer.first_seconds for answer in answers) < 30


def test_a_visitor_who_asks_without_end_is_told_when_to_ask_again_and_others_are_not(address: str) -> None:
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    def ask(client: Client) -> str:
        return str(client.predict(INSTRUCTION, max_new_tokens=24, api_name="/answer"))

    eager, other = (Client(address, headers={"X-Forwarded-For": ip}, verbose=False) for ip in ("10.9.0.1", "10.9.0.2"))

    assert [ask(eager) for _ in range(12)] == [ANSWER] * 12
    with pytest.raises(AppError, match="You have asked 12 questions within a minute"):
        ask(eager)
    assert ask(other) == ANSWER
