"""OpenAI's own Python client, which knows nothing of this server, gets what it expects."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import openai
import pytest

from tests.publishing.tiny_model import ANSWER
from tests.serving.serving_process import Served

MESSAGES = [{"role": "user", "content": "What is the capital of France?"}]


def client_of(server: Served) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{server.url}/v1", api_key="none", max_retries=0, http_client=httpx.Client(trust_env=False)
    )


@pytest.fixture
def tiny(tiny_server: Served) -> Iterator[openai.OpenAI]:
    with client_of(tiny_server) as client:
        yield client


@pytest.fixture
def even(even_server: Served) -> Iterator[openai.OpenAI]:
    with client_of(even_server) as client:
        yield client


def test_models_are_listed_and_found(tiny: openai.OpenAI) -> None:
    (model,) = tiny.models.list().data

    assert model.id == "tiny"
    assert tiny.models.retrieve("tiny") == model
    with pytest.raises(openai.NotFoundError, match="There is one model here, tiny at sha256-"):
        tiny.models.retrieve("local/other")


def test_a_chat_is_answered(tiny: openai.OpenAI) -> None:
    answer = tiny.chat.completions.create(model="tiny", messages=MESSAGES)  # type: ignore[call-overload]

    (choice,) = answer.choices
    assert choice.message.content == ANSWER
    assert choice.message.role == "assistant"
    assert choice.finish_reason == "stop"
    assert answer.system_fingerprint.startswith("sha256-")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 4


def test_a_chat_streams_with_usage_at_the_end(tiny: openai.OpenAI) -> None:
    stream = tiny.chat.completions.create(  # type: ignore[call-overload]
        model="tiny", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)

    deltas = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert deltas == ["", "Paris", ",", " naïvely", ".", None]
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices] == [None] * 5 + ["stop"]
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * 6
    assert (chunks[-1].choices, chunks[-1].usage.completion_tokens) == ([], 4)
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_completion_continues_the_text_as_it_is(tiny: openai.OpenAI) -> None:
    prompt = "### Instruction:\nx\n\n### Response:\n"
    answer = tiny.completions.create(model="tiny", prompt=prompt, max_tokens=2)
    streamed = "".join(
        chunk.choices[0].text for chunk in tiny.completions.create(model="tiny", prompt=prompt, stream=True)
    )

    assert (answer.choices[0].text, answer.choices[0].finish_reason) == ("Paris,", "length")
    assert streamed == ANSWER


def test_several_prompts_and_choices_come_in_order(tiny: openai.OpenAI) -> None:
    answer = tiny.completions.create(model="tiny", prompt=["Paris", "Paris, naïvely"], n=2)

    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert [choice.text for choice in answer.choices] == [", naïvely.", ", naïvely.", ".", "."]


@pytest.mark.parametrize("stop", [", na", [" never", "ï"]])
def test_an_answer_ends_before_a_stop_text(tiny: openai.OpenAI, stop: str | list[str]) -> None:
    expected = {", na": "Paris", " never": "Paris, na"}[stop if isinstance(stop, str) else stop[0]]
    answer = tiny.chat.completions.create(model="tiny", messages=MESSAGES, stop=stop)  # type: ignore[call-overload]
    chunks = tiny.chat.completions.create(model="tiny", messages=MESSAGES, stop=stop, stream=True)  # type: ignore[call-overload]

    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (expected, "stop")
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == expected


def test_a_seed_gives_the_same_choices_again_and_each_choice_another_text(even: openai.OpenAI) -> None:
    def ask(seed: int) -> list[str]:
        answer = even.completions.create(
            model="even", prompt="a", temperature=1.0, seed=seed, n=3, max_tokens=12, top_p=0.95
        )
        return [choice.text for choice in answer.choices]

    first = ask(5)
    assert ask(5) == first
    assert len(set(first)) == 3
    assert ask(6)[:2] == first[1:]  # the choices of one request have the seeds that follow
    assert ask(1000) != first


def test_log_probabilities_of_a_chat(even: openai.OpenAI) -> None:
    options = {"model": "even", "messages": MESSAGES, "logprobs": True, "top_logprobs": 3, "max_tokens": 20}
    whole = even.chat.completions.create(**options).choices[0]  # type: ignore[call-overload]
    chunks = list(even.chat.completions.create(**options, stream=True))  # type: ignore[call-overload]

    content = whole.logprobs.content
    assert len(content) == 20
    assert all(token.top_logprobs[0].token == token.token for token in content)
    assert all(token.top_logprobs[0].logprob >= token.top_logprobs[2].logprob for token in content)
    assert all(token.logprob < 0 for token in content)
    streamed = [token for chunk in chunks if chunk.choices[0].logprobs for token in chunk.choices[0].logprobs.content]
    assert [token.token for token in streamed] == [token.token for token in content]
    assert [token.logprob for token in streamed] == pytest.approx([token.logprob for token in content], abs=1e-4)


def test_log_probabilities_of_a_completion(tiny: openai.OpenAI) -> None:
    (choice,) = tiny.completions.create(model="tiny", prompt="### Response:\n", logprobs=2).choices

    assert choice.logprobs.tokens == ["Paris", ",", " naïvely", "."]
    assert choice.logprobs.text_offset == [0, 5, 6, 14]
    assert [len(top) for top in choice.logprobs.top_logprobs] == [2] * 4
    assert [next(iter(top)) for top in choice.logprobs.top_logprobs] == choice.logprobs.tokens


@pytest.mark.parametrize(("wrong", "param"), [
    ({"temperature": 3}, "temperature"),
    ({"n": 0}, "n"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
    ({"presence_penalty": 0.5}, "presence_penalty"),
    ({"extra_body": {"tools": []}}, "tools"),
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
    ({"top_logprobs": 21}, "top_logprobs"),
])  # fmt: skip
def test_what_is_wrong_or_not_offered_is_refused_by_its_name(
    tiny: openai.OpenAI, wrong: dict[str, object], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        tiny.chat.completions.create(**{"model": "tiny", "messages": MESSAGES, **wrong})  # type: ignore[call-overload]

    assert refused.value.type == "invalid_request_error"
    assert str(refused.value.param).startswith(param)
    assert refused.value.request_id is not None


def test_another_model_is_not_found(tiny: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        tiny.chat.completions.create(model="gpt-4o", messages=MESSAGES)  # type: ignore[call-overload]

    assert refused.value.code == "model_not_found"


def test_a_conversation_in_parts_is_taken(tiny: openai.OpenAI) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Capital of "}, {"type": "text", "text": "France?"}]},
        {"role": "assistant", "content": "Rome"},
        {"role": "user", "content": "No.", "name": "me"},
    ]
    answer = tiny.chat.completions.create(model="tiny", messages=messages, user="me")  # type: ignore[call-overload]

    assert answer.choices[0].message.content == ANSWER
