from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from modules.prompts import format as prompts

GOLDEN = Path(__file__).parent / "golden"


def test_a_prompt_with_input_equals_the_golden_file() -> None:
    expected = (GOLDEN / "with_input.txt").read_bytes()
    assert prompts.format_prompt("Sort these words.", "pear, apple").encode() == expected


@pytest.mark.parametrize("blank", ["", " ", "\n\t \r\f\v"])
def test_a_prompt_with_blank_input_equals_the_golden_file(blank: str) -> None:
    expected = (GOLDEN / "without_input.txt").read_bytes()
    assert prompts.format_prompt("Name the capital of France.", blank).encode() == expected


def test_user_text_is_kept_byte_for_byte() -> None:
    assert (
        prompts.format_prompt("  {input} \n", " x ")
        == "### Instruction:\n  {input} \n\n\n### Input:\n x \n\n### Response:\n"
    )


@given(st.text(), st.text(st.sampled_from(" \t\nab\u00a0"), max_size=20))
def test_of_a_prompt_the_row_is_found_that_makes_it_again(instruction: str, input_text: str) -> None:
    prompt = prompts.format_prompt(instruction, input_text)
    row = prompts.parse_prompt(prompt)
    assert row is not None
    assert prompts.format_prompt(*row) == prompt


@pytest.mark.parametrize("row", [("Sort these words.", "pear, apple"), ("Two\n\nparagraphs", ""), ("a", "b\n\nc")])
def test_a_row_is_read_back_from_its_prompt(row: tuple[str, str]) -> None:
    assert prompts.parse_prompt(prompts.format_prompt(*row)) == row


def test_a_prompt_of_another_form_has_no_row() -> None:
    assert prompts.parse_prompt("Once upon a time") is None
    assert prompts.parse_prompt("Once upon a time", prompts.TEXT) == ("Once upon a time", "")


def test_a_literal_end_token_cannot_end_the_example() -> None:
    nested = "<|endof<|endoftext|>text|>"
    assert prompts.END_TOKEN not in prompts.format_prompt(nested, nested)


@given(st.text(), st.text(st.sampled_from(" \t\nab\u00a0<|endoftext>"), max_size=20))
def test_the_graph_formats_as_python_does(instruction: str, input_text: str) -> None:
    formatted = prompts.format_prompt_tensors(tf.constant([instruction]), tf.constant([input_text]))
    assert formatted.numpy()[0].decode() == prompts.format_prompt(instruction, input_text)


def test_the_published_spec_holds_the_templates() -> None:
    assert prompts.prompt_spec()["with_input"].format(instruction="a", input="b") == prompts.format_prompt("a", "b")
