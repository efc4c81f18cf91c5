from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from modules.prompts import ALPACA, DOCUMENT
from modules.prompts.format import END_TOKEN

GOLDEN = Path(__file__).parent / "golden"


def test_a_prompt_with_input_equals_the_golden_file() -> None:
    expected = (GOLDEN / "with_input.txt").read_bytes()
    assert ALPACA.format("Sort these words.", "pear, apple").encode() == expected


@pytest.mark.parametrize("blank", ["", " ", "\n\t \r\f\v"])
def test_a_prompt_with_blank_input_equals_the_golden_file(blank: str) -> None:
    expected = (GOLDEN / "without_input.txt").read_bytes()
    assert ALPACA.format("Name the capital of France.", blank).encode() == expected


def test_user_text_is_kept_byte_for_byte() -> None:
    assert (
        ALPACA.format("  {input} \n", " x ") == "### Instruction:\n  {input} \n\n\n### Input:\n x \n\n### Response:\n"
    )


@given(st.text(), st.text(st.sampled_from(" \t\nab\u00a0"), max_size=20))
def test_of_a_prompt_the_row_is_found_that_makes_it_again(instruction: str, input_text: str) -> None:
    prompt = ALPACA.format(instruction, input_text)
    row = ALPACA.parse(prompt)
    assert row is not None
    assert ALPACA.format(*row) == prompt


@pytest.mark.parametrize("row", [("Sort these words.", "pear, apple"), ("Two\n\nparagraphs", ""), ("a", "b\n\nc")])
def test_a_row_is_read_back_from_its_prompt(row: tuple[str, str]) -> None:
    assert ALPACA.parse(ALPACA.format(*row)) == row


def test_a_prompt_of_another_form_has_no_row() -> None:
    assert ALPACA.parse("Once upon a time") is None
    assert DOCUMENT.parse("Once upon a time") == ("Once upon a time", "")


def test_a_literal_end_token_cannot_end_the_example() -> None:
    nested = "<|endof<|endoftext|>text|>"
    assert END_TOKEN not in ALPACA.format(nested, nested)


@given(st.text(), st.text(st.sampled_from(" \t\nab\u00a0<|endoftext>"), max_size=20))
def test_the_graph_formats_as_python_does(instruction: str, input_text: str) -> None:
    formatted = ALPACA.format_tensors(tf.constant([instruction]), tf.constant([input_text]))
    assert formatted.numpy()[0].decode() == ALPACA.format(instruction, input_text)


def test_the_published_spec_holds_the_templates() -> None:
    assert ALPACA.spec(kind="instructions")["with_input"].format(instruction="a", input="b") == ALPACA.format("a", "b")
