"""When a batch is worth breaking off: what its answers would lose, and how long it would go on by itself."""

from __future__ import annotations

import math

import pytest

from serving.answering.answer import Answer
from serving.answering.model import Model
from serving.answering.prompt import Decoding
from serving.answering.rounds import Round, RoundRule
from serving.answering.text import AnswerText

RULE = RoundRule(tokens=4, share=2.0)


def answer(model: Model, *, prompt: int, made: int = 0, longest: int = 30) -> Answer:
    found = Answer(
        ("a",) * prompt, Decoding(max_new_tokens=longest), AnswerText(model.tokenizer), client="", deadline=math.inf
    )
    for _ in range(made):
        found.take(model.tokenizer.token_to_id("a"), "a", end_token=model.format.end_token)
    return found


def begun(*answers: Answer, reading_seconds: float, steps: int) -> Round:
    """A round that began at 0 and read prefixes of these lengths before its answers grew."""
    found = Round(list(answers), RULE, started=0.0)
    found.tokens_read = 10
    found.first_token = reading_seconds
    found.steps = steps
    return found


def test_it_is_ripe_after_some_tokens_and_the_time_that_reading_bought(even_model: Model) -> None:
    young = begun(answer(even_model, prompt=10), reading_seconds=1.0, steps=3)
    read_long = begun(answer(even_model, prompt=10), reading_seconds=1.0, steps=4)

    assert not Round([answer(even_model, prompt=10)], RULE).is_ripe(100.0)
    assert not young.is_ripe(100.0)
    assert (read_long.is_ripe(2.9), read_long.is_ripe(3.0)) == (False, True)
    read_long.is_stopping = True
    assert not read_long.is_ripe(100.0)


def test_a_seeded_answer_is_never_ripe(even_model: Model) -> None:
    seeded = answer(even_model, prompt=10)
    seeded.decoding = Decoding(temperature=1.0, seed=1)

    assert not begun(seeded, reading_seconds=0.0, steps=100).is_ripe(100.0)


def test_breaking_off_costs_each_answer_the_reading_of_all(even_model: Model) -> None:
    one = begun(answer(even_model, prompt=10, made=10), reading_seconds=1.0, steps=10)
    three = [answer(even_model, prompt=10, made=10) for _ in range(3)]
    together = begun(*three, reading_seconds=1.0, steps=10)

    assert one.delay_seconds() == pytest.approx(2.0)  # a tenth of a second for each of 20 tokens
    assert together.delay_seconds() == pytest.approx(3 * 6.0)
    three[0].cancel()
    assert together.delay_seconds() == pytest.approx(2 * 4.0)


@pytest.mark.parametrize(("usual", "tokens"), [(math.inf, 20), (100, 20), (16, 8), (12, 6), (4, 2)])
def test_it_goes_on_until_its_longest_answer_is_as_long_as_usual(even_model: Model, usual: float, tokens: int) -> None:
    grown = begun(
        answer(even_model, prompt=10, made=10), answer(even_model, prompt=10, made=25), reading_seconds=1.0, steps=11
    )

    assert grown.seconds_left(6.0, usual_tokens=usual) == pytest.approx(tokens * 0.5)
