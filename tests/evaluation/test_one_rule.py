"""AnswerQuality, Evaluator and report judge by one rule: what is reached exactly is met, what is no number is not."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.components.evaluator import verdict
from pipeline.evaluation import METRICS, Condition, Slice, Verdict, judge, parse_condition, reasons_against
from pipeline.report.reading.evaluation import conditions

PERCENT = 100
SLICE = Slice("with_input", "yes")
FIGURES = st.one_of(st.floats(), st.sampled_from([0.3, 0.4, 0.5, 0.49, 0.1, 0.0, -0.0]))


def change(text: str) -> Condition:
    return parse_condition(text, is_change=True)


@pytest.mark.parametrize(
    ("condition", "value", "before", "met"),
    [
        ("exact_match>=-0.1", 0.3, 0.4, True),  # 0.3 - 0.4 is -0.10000000000000003
        ("exact_match>=-0.1", 0.2999, 0.4, False),
        ("token_accuracy>=-0.01", 0.49, 0.5, True),
        ("loss<=+0.1", 0.4, 0.3, True),
        ("loss<=+10%", 0.33, 0.3, True),
        ("repetition<=+5%", 0.0, 0.0, True),
        ("repetition<=+5%", 0.1, 0.0, False),  # of nothing, 5 % more is nothing
        ("loss<=-0.1", 0.4, 0.5, True),
        ("loss<=-0.1", 0.45, 0.5, False),
        ("loss<=+0.1", math.nan, 0.5, False),
        ("loss<=+0.1", None, 0.5, False),
        ("loss<=+0.1", 0.5, math.nan, False),
        ("perplexity<=+0.1", 5.0, math.inf, False),
        ("loss<=+0.1", 0.5, None, None),
        ("loss<=+0.1", math.nan, None, None),
    ],
)
def test_a_change_is_held_against_its_bound(
    condition: str, value: float | None, before: float | None, met: bool | None
) -> None:
    assert change(condition).holds(value, before) is met


@pytest.mark.parametrize(
    ("condition", "value", "met"),
    [
        ("token_accuracy>=0.3", 0.4 - 0.1, True),
        ("loss<=0.3", 0.1 + 0.2, True),
        ("loss<=0.3", 0.3000001, False),
        ("loss<=0.3", math.nan, False),
        ("perplexity>=1", math.inf, False),
        ("loss<=0.3", None, False),
    ],
)
def test_a_value_is_held_against_its_bound(condition: str, value: float | None, met: bool) -> None:
    assert parse_condition(condition, is_change=False).holds(value) is met


@given(
    rows=st.integers(1, 1000),
    now=st.integers(0, 1000),
    then=st.integers(0, 1000),
    allowed=st.integers(0, PERCENT),
)
def test_shares_of_rows_are_compared_as_if_computed_exactly(rows: int, now: int, then: int, allowed: int) -> None:
    condition = change(f"exact_match>=-{Decimal(allowed) / PERCENT}")
    exact = Fraction(now - then, rows) >= Fraction(-allowed, PERCENT)

    assert condition.holds(now / rows, then / rows) is exact


@given(
    is_change=st.booleans(),
    relative=st.booleans(),
    bound=st.integers(-200, 200).map(lambda percent: percent / PERCENT),
    rows=st.sampled_from([None, SLICE]),
    metric=st.sampled_from(sorted(METRICS)),
    value=FIGURES | st.none(),
    before=FIGURES | st.none(),
    has_baseline=st.booleans(),
)
@example(True, False, -0.1, None, "token_accuracy", 0.3, 0.4, True)
@example(True, True, 0.05, SLICE, "loss", 0.1, 0.0, True)
def test_gate_evaluator_and_report_agree_on_every_condition(
    is_change: bool,
    relative: bool,
    bound: float,
    rows: Slice | None,
    metric: str,
    value: float | None,
    before: float | None,
    has_baseline: bool,
) -> None:
    condition = Condition(metric, METRICS[metric].better, bound, relative and is_change, rows, is_change)
    measured = sliced(rows, metric, value, before if has_baseline else None)
    now = verdict.figures(measured, verdict.CANDIDATE)
    then = verdict.figures(measured, verdict.BASELINE) if has_baseline else None

    (answers,) = judge([condition], now, then)
    (scores,) = verdict.judge_scores([condition], measured, has_baseline=has_baseline, same_tokenizer=True)
    kept = Verdict.from_dict(json.loads(json.dumps(scores.as_dict())))
    (told,) = conditions([kept])

    compared = math.nan if before is None and has_baseline else before if has_baseline else None
    assert answers.passed is scores.passed is told.passed is condition.holds(value, compared)
    assert bool(reasons_against([scores])) is (told.passed is False)


def sliced(rows: Slice | None, metric: str, value: float | None, before: float | None) -> list[verdict.Row]:
    """TFMA's metrics with one figure of each model; a slice without a figure has no row."""
    row: verdict.Row = {"slice": {rows.column: rows.value} if rows else {}}
    row |= {verdict.CANDIDATE: {metric: value}} if value is not None else {}
    row |= {verdict.BASELINE: {metric: before}} if before is not None else {}
    return [row]


@pytest.mark.parametrize(
    ("condition", "value", "before", "words"),
    [
        (
            "loss<=+5%",
            2.2,
            2.0,
            "loss is 2.2, 0.2 more than the last blessed model's 2, and at most 0.1 is allowed",
        ),
        (
            "loss<=-0.5",
            1.8,
            2.0,
            "loss is 1.8, 0.2 less than the last blessed model's 2, and at least 0.5 is demanded",
        ),
        (
            "loss<=+0.5",
            1.5,
            math.nan,
            "loss of the last blessed model is nan, which is no figure to compare 1.5 with",
        ),
        ("loss<=+0.5", math.nan, 1.5, "loss is nan, which is no figure to judge by"),
    ],
)
def test_what_speaks_against_a_change_is_told(condition: str, value: float, before: float, words: str) -> None:
    asked = change(condition)
    found = judge([asked], {None: {asked.metric: value}}, {None: {asked.metric: before}})

    assert reasons_against(found) == [words]


def test_a_slice_without_rows_is_told_once() -> None:
    asked = [parse_condition(f"{metric}<=1@with_input=yes", is_change=False) for metric in ("loss", "perplexity")]

    assert reasons_against(judge(asked, {None: {"loss": 0.5}})) == ["no row is in the slice with_input=yes"]


def test_a_gain_that_is_demanded_is_told_as_one() -> None:
    assert [change(text).demand for text in ("loss<=-0.5", "bleu>=+10%", "loss<=+0.5", "bleu>=-10%")] == [
        "at least 0.5 less than before",
        "at least 10 % more than before",
        "at most 0.5 more than before",
        "at most 10 % less than before",
    ]


def test_figures_per_token_are_not_compared_between_tokenizers() -> None:
    asked = [change("loss<=+0.1"), change("bits_per_byte<=+0.1")]
    measured: list[verdict.Row] = [{"slice": {}, "candidate": {"loss": 9.0, "bits_per_byte": 9.0},
                 "baseline": {"loss": 1.0, "bits_per_byte": 1.0}}]  # fmt: skip
    found = verdict.judge_scores(asked, measured, has_baseline=True, same_tokenizer=False)

    assert {each.condition.metric: each.passed for each in found} == {"loss": None, "bits_per_byte": False}
