"""Prompt formats: the registry, chat templates, and one that is added from outside."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest
import tensorflow as tf
from pydantic import ValidationError

from data.tfrecords import Row, encode
from modules.fingerprint import reference_fingerprint
from modules.preprocessing import preprocessing_fn
from modules.prompts import ALPACA, DOCUMENT, FORMATS, PromptFormat, find_format, format_of_spec
from modules.prompts.format import END_TOKEN, NEUTRAL_END_TOKEN
from modules.registry import RegistryError
from pipeline.components.data_gate.tokens import TokenLimits, survey_tokens
from pipeline.config import PipelineConfig
from pipeline.nodes.data import token_limits
from pipeline.nodes.training import run_settings

# What a user would put into a module of their own.
SHOUT = PromptFormat(
    name="shout",
    with_input="SAY {instruction} OF {input}!\n",
    without_input="SAY {instruction}!\n",
    response_marker="\n",
    chat_template="{{ 'SAY ' + messages[0]['content'] + '!\n' }}",
)
REFERENCE = f"{__name__}:SHOUT"


def chat(prompt_format: PromptFormat, *contents: str) -> str:
    """Renders a conversation that ends with a question, as a tokenizer with this template would."""
    roles = ["user", "assistant"] * len(contents)
    return jinja2.Environment().from_string(prompt_format.chat_template).render(
        messages=[{"role": role, "content": content} for role, content in zip(roles, contents, strict=False)],
        add_generation_prompt=True,
        end_token=END_TOKEN,
        neutral_end_token=NEUTRAL_END_TOKEN,
    )  # fmt: skip


@pytest.mark.parametrize("prompt_format", [*FORMATS.values(), SHOUT], ids=lambda prompt_format: prompt_format.name)
def test_a_question_in_the_chat_template_is_the_prompt(prompt_format: PromptFormat) -> None:
    assert chat(prompt_format, "Name the capital of France.") == prompt_format.format("Name the capital of France.")


def test_a_chat_template_neutralises_end_tokens_and_repeats_what_was_answered() -> None:
    assert chat(ALPACA, END_TOKEN) == ALPACA.format(END_TOKEN)
    assert chat(ALPACA, "a", "b", "c") == f"{ALPACA.format('a')}b{END_TOKEN}{ALPACA.format('c')}"


@pytest.mark.parametrize("prompt_format", [ALPACA, DOCUMENT], ids=lambda prompt_format: prompt_format.name)
def test_prompts_end_with_the_response_marker(prompt_format: PromptFormat) -> None:
    assert prompt_format.with_input.endswith(prompt_format.response_marker)
    assert prompt_format.without_input.endswith(prompt_format.response_marker)


def test_auto_means_the_format_of_the_kind_of_rows() -> None:
    assert find_format("auto", kind="instructions") is ALPACA
    assert find_format("auto", kind="text") is DOCUMENT
    assert find_format("alpaca", kind="text") is ALPACA


def test_what_is_published_formats_as_the_format_does() -> None:
    published = format_of_spec(SHOUT.spec(kind="instructions"))
    assert published.format("hello", "you") == SHOUT.format("hello", "you")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("alpaka", "takes auto, alpaca, document, or package.module:OBJECT for one of your own.*Did you mean alpaca?"),
        ("no_such_module:FORMAT", "must name an object that can be imported.*No module named 'no_such_module'"),
        (f"{__name__}:NOTHING", "must name an object that can be imported.*NOTHING"),
        (f"{__name__}:REFERENCE", "must name a modules.prompts.format.PromptFormat.*a str"),
    ],
)
def test_a_format_that_is_none_is_refused_with_the_way_out(name: str, message: str) -> None:
    with pytest.raises(RegistryError, match=f"(?s)data.prompt_format {message}"):
        find_format(name, kind="instructions")
    with pytest.raises(ValidationError, match=message):
        PipelineConfig.model_validate({"data": {"prompt_format": name}})


def test_a_format_from_outside_goes_through_settings_transform_and_data_gate() -> None:
    config = PipelineConfig.model_validate({"data": {"prompt_format": REFERENCE}})
    assert run_settings(config).data.prompt_format == REFERENCE
    rows = {name: tf.constant([[text]]) for name, text in zip(("instruction", "input", "output"), "abc", strict=True)}
    formatted = preprocessing_fn(rows, {"kind": "instructions", "prompt_format": REFERENCE, "fingerprint": ""})
    assert formatted["prompt"].numpy().item() == b"SAY a OF b!\n"
    limits = token_limits(config)
    assert limits is not None
    assert limits.prompt_format == REFERENCE
    assert longest(REFERENCE) < longest("auto")


def longest(prompt_format: str) -> int:
    """Returns the tokens that one row takes, by bytes."""
    limits = TokenLimits(128, "drop", 1.0, None, None, 257, None, prompt_format=prompt_format)
    row = encode(Row("a", "b", "c"))
    return survey_tokens(lambda: [row], limits, model=None).lengths.longest


def test_an_edited_format_of_the_users_own_misses_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "my_prompt_format.py"
    monkeypatch.syspath_prepend(tmp_path)
    module.write_text("FORMAT = 1\n", encoding="utf-8")
    before = reference_fingerprint(["my_prompt_format:FORMAT", "auto"])
    module.write_text("FORMAT = 2\n", encoding="utf-8")
    assert reference_fingerprint(["my_prompt_format:FORMAT", "auto"]) != before
    assert reference_fingerprint(["auto"]) == ""
