"""How the configuration writes conditions, and which it refuses."""

from __future__ import annotations

import pytest

from pipeline.evaluation import (
    Condition,
    ConditionError,
    Slice,
    answer_conditions,
    check_column,
    parse_all,
    parse_condition,
    score_conditions,
)


@pytest.mark.parametrize(
    ("text", "is_change", "expected"),
    [
        ("loss<=2.5", False, Condition("loss", "<=", 2.5)),
        ("loss<=3@with_input=yes", False, Condition("loss", "<=", 3.0, rows=Slice("with_input", "yes"))),
        ("rows>=2e3@lang=de", False, Condition("rows", ">=", 2000.0, rows=Slice("lang", "de"))),
        ("perplexity<=+5%", True, Condition("perplexity", "<=", 0.05, relative=True, is_change=True)),
        ("token_accuracy>=-0.01", True, Condition("token_accuracy", ">=", -0.01, is_change=True)),
    ],
)
def test_a_condition_is_read_as_it_is_written(text: str, is_change: bool, expected: Condition) -> None:
    assert parse_condition(text, is_change=is_change) == expected


@pytest.mark.parametrize(
    ("text", "is_change", "message"),
    [
        ("los<=3", False, "There is no such metric. Received: 'los<=3'. Take one of loss, "),
        ("loss<3", False, "A condition has the form metric<=2.5 or metric>=0.5"),
        ("loss<=nan", False, "A condition has the form"),
        ("loss<=5%", False, "A condition has the form metric<=2.5"),
        ("loss>=+5%", True, "Of loss, less is better. Received: 'loss>=+5%'. Write loss<=…"),
        (
            "loss<=3@with_input=maybe",
            False,
            "There is no such slice. Received: 'with_input=maybe'. with_input is one of",
        ),
        ("rouge_l<=+1", True, "Of rouge_l, more is better. Received: 'rouge_l<=+1'. Write rouge_l>=…"),
        (
            "rouge_l>=0.3@with_input=yes",
            False,
            "Answers are judged as a whole: there are too few for slices. "
            "Received: 'rouge_l>=0.3@with_input=yes'. Remove @with_input=yes.",
        ),
        ("loss<=3@output=x", False, "Slices need a column with few values. Received: 'output'"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(text: str, is_change: bool, message: str) -> None:
    with pytest.raises(ConditionError) as caught:
        parse_condition(text, is_change=is_change)
    assert str(caught.value).startswith(message)


def test_two_bounds_of_the_same_are_refused() -> None:
    with pytest.raises(ConditionError, match="Two conditions are about the same"):
        parse_all(["loss<=3", "loss<=4"], is_change=False)
    assert len(parse_all(["loss<=3", "loss>=1", "loss<=2@with_input=no"], is_change=False)) == 3


def test_a_text_is_no_slice() -> None:
    with pytest.raises(ConditionError, match="'instruction'"):
        check_column("instruction")


@pytest.mark.parametrize(
    ("text", "is_change"),
    [("loss<=2.5@with_input=yes", False), ("perplexity<=+5%", True), ("rouge_l>=-0.01", True), ("rows>=2000", False)],
)
def test_a_condition_can_be_written_as_it_was_read(text: str, is_change: bool) -> None:
    condition = parse_condition(text, is_change=is_change)

    assert str(condition) == text
    assert parse_condition(str(condition), is_change=is_change) == condition


def test_conditions_on_scores_and_on_answers_are_told_apart() -> None:
    conditions = parse_all(["loss<=3", "rouge_l>=0.3", "stopped>=0.5"], is_change=False)

    assert [condition.metric for condition in score_conditions(conditions)] == ["loss"]
    assert [condition.metric for condition in answer_conditions(conditions)] == ["rouge_l", "stopped"]
