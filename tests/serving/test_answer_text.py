"""Tokens become text piece by piece: the pieces are the whole text, up to the first stop text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.answering.text import REPLACEMENT, AnswerText
from tests.publishing.tiny_model import byte_level_tokenizer

TOKENIZER = byte_level_tokenizer()
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters=REPLACEMENT), max_size=40)


def shown(text: str, *stop: str) -> tuple[list[str], bool]:
    """The pieces of a text, and whether a stop text ended it."""
    answer = AnswerText(TOKENIZER, stop)
    pieces = []
    for token_id in TOKENIZER.encode(text).ids:
        pieces.append(answer.push(token_id))
        if answer.is_stopped:
            return pieces, True
    return [*pieces, answer.flush()], False


@given(TEXTS)
def test_the_pieces_are_the_text(text: str) -> None:
    pieces, is_stopped = shown(text)

    assert "".join(pieces) == text
    assert not is_stopped
    assert REPLACEMENT not in "".join(pieces)


@given(TEXTS, st.lists(st.text("ab€😀", min_size=1, max_size=4), min_size=1, max_size=4))
def test_a_stop_text_ends_it_and_is_not_shown(text: str, stop: list[str]) -> None:
    starts = [text.find(each) for each in stop if each in text]
    pieces, is_stopped = shown(text, *stop)

    assert is_stopped == bool(starts)
    assert not starts or text.startswith("".join(pieces))
    assert all(each not in "".join(pieces) for each in stop)
    assert starts or "".join(pieces) == text


@pytest.mark.parametrize(("text", "stop", "expected"), [
    ("one. two.", ["."], "one"),
    ("one. two.", ["", "two"], "one. "),
    ("a😀b", ["😀"], "a"),
    ("aab", ["ab"], "a"),
    ("abcabd", ["abd"], "abc"),
    ("stops not", ["stops now"], "stops not"),
])  # fmt: skip
def test_what_may_be_the_beginning_of_a_stop_text_is_held_back(text: str, stop: list[str], expected: str) -> None:
    assert "".join(shown(text, *stop)[0]) == expected


def test_a_character_comes_whole() -> None:
    assert [piece for piece in shown("a😀")[0] if piece] == ["a", "😀"]


def test_bytes_that_are_no_text_do_not_hold_back_what_follows() -> None:
    answer = AnswerText(TOKENIZER)
    lone = TOKENIZER.token_to_id(TOKENIZER.encode("😀").tokens[0])
    a = TOKENIZER.token_to_id("a")

    assert [answer.push(token_id) for token_id in (lone, lone, a)] == ["", "", f"{REPLACEMENT}{REPLACEMENT}a"]


def test_half_a_character_at_the_end_is_left_out() -> None:
    answer = AnswerText(TOKENIZER)
    ids = TOKENIZER.encode("a😀").ids

    assert "".join([*(answer.push(token_id) for token_id in ids[:-1]), answer.flush()]) == "a"
