"""How the configuration writes conditions, and which it refuses."""

from __future__ import annotations

import pytest

from pipeline.evaluation import Condition, ConditionError, Slice, check_column, parse_all, parse_condition


@pytest.mark.parametrize(
    ("text", "is_change", "expected"),
    [
        ("loss<=2.5", False, Condition("loss", "<=", 2.5)),
        ("loss<=3@with_input=yes", False, Condition("loss", "<=", 3.0, rows=Slice("with_input", "yes"))),
        ("rows>=2e3@lang=de", False, Condition("rows", ">=", 2000.0, rows=Slice("lang", "de"))),
        ("perplexity<=+5%", True, Condition("perplexity", "<=", 0.05, relative=True)),
        ("token_accuracy>=-0.01", True, Condition("token_accuracy", ">=", -0.01)),
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
