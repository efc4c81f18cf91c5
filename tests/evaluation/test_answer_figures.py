"""Answers beside the expected ones: every figure by hand, the sample's steadiness, the conditions' words."""

from __future__ import annotations

import random

import pytest

from data.tfrecords import Row, encode
from pipeline.components.answer_quality.answering import Answer
from pipeline.components.answer_quality.figures import bleu, measure, repetition, rouge_l
from pipeline.components.answer_quality.sample import sample_rows
from pipeline.evaluation import ANSWER_METRICS, judge, parse_all, reasons_against
from tests.pipeline.gating import with_features_turned

ROWS = [Row(f"Count to {number}.", "", f"up to {number}") for number in range(100)]
RECORDS = [encode(row) for row in ROWS]
FIGURES = {
    "exact_match": 0.5,
    "rouge_l": 0.8,
    "bleu": 40.0,
    "stopped": 0.9,
    "answer_characters": 12.0,
    "repetition": 0.25,
}


def test_every_figure_is_what_it_is_by_hand() -> None:
    answers = [
        Answer("the cat sat on the mat \n", stopped=True),  # as expected, but for white space around it
        Answer("a dog", stopped=True),  # one of two words, of two expected
        Answer("go go go go go go", stopped=False),  # 3 4-grams, all the same; nothing expected
        Answer("", stopped=True),
    ]
    figures = measure(answers, ["the cat sat on the mat", "a cat", "stop now", "yes"])

    assert figures.keys() == ANSWER_METRICS.keys()
    assert figures == pytest.approx(
        {
            "exact_match": 1 / 4,
            "rouge_l": (1 + 1 / 2 + 0 + 0) / 4,
            "bleu": figures["bleu"],  # sacrebleu's own, below
            "stopped": 3 / 4,
            "answer_characters": (22 + 5 + 17 + 0) / 4,
            "repetition": (2 / 3) / 4,
        }
    )


def test_bleu_is_of_the_whole_sample_and_between_0_and_100() -> None:
    expected = ["one two three four five", "six seven eight nine"]

    assert bleu(expected, expected) == pytest.approx(100.0)
    assert bleu(["", ""], expected) == 0.0
    # 8 of 9 words, 6 of 7 pairs, 4 of 5 triples, 2 of 3 quadruples; no brevity penalty.
    assert bleu(["one two three four five", "six seven eight ten"], expected) == pytest.approx(
        100 * (8 / 9 * 6 / 7 * 4 / 5 * 2 / 3) ** 0.25
    )


@pytest.mark.parametrize(
    ("text", "expected", "figure"),
    [
        ("Über Größe", "über größe", 1.0),
        ("да нет", "да", 2 / 3),
        ("a b c d", "a c d e", 0.75),
        ("!?", "!?", 1.0),
        ("!", "!?", 0.0),
        ("", "word", 0.0),
    ],
)
def test_rouge_l_knows_the_words_of_every_script(text: str, expected: str, figure: float) -> None:
    assert rouge_l(text, expected) == pytest.approx(figure)


@pytest.mark.parametrize(
    ("text", "share"),
    [("one two three", 0.0), ("a b c d e f", 0.0), ("a b c d a b c d a b c d", 5 / 9), ("......", 2 / 3)],
)
def test_repetition_is_the_share_of_4_grams_that_came_before(text: str, share: float) -> None:
    assert repetition(text) == pytest.approx(share)


def test_a_sample_does_not_depend_on_the_order_of_the_rows() -> None:
    shuffled = RECORDS.copy()
    random.Random(1).shuffle(shuffled)
    drawn = sample_rows(RECORDS, rows=10, seed=1)

    assert sample_rows(shuffled, rows=10, seed=1) == drawn
    assert len(set(drawn)) == 10
    assert sample_rows(RECORDS, rows=10, seed=2) != drawn


def test_a_sample_does_not_depend_on_the_order_of_a_records_features() -> None:
    turned = [with_features_turned(row) for row in ROWS]

    assert turned != RECORDS
    assert sample_rows(turned, rows=10, seed=1) == sample_rows(RECORDS, rows=10, seed=1)


def test_a_sample_of_more_rows_than_there_are_is_all_of_them() -> None:
    assert sorted(sample_rows(RECORDS, rows=1000, seed=1)) == sorted(ROWS)
    assert sample_rows([], rows=10, seed=1) == []


def test_rows_that_go_take_only_themselves_out_of_a_sample() -> None:
    drawn = sample_rows(RECORDS, rows=20, seed=1)
    gone = drawn[5]
    again = sample_rows([record for record in RECORDS if record != encode(gone)], rows=20, seed=1)

    assert again[:19] == [row for row in drawn if row != gone]


def test_thresholds_that_are_missed_are_told() -> None:
    held = parse_all(["exact_match>=0.5", "repetition<=0.25", "answer_characters<=12"], is_change=False)
    broken = parse_all(["stopped>=0.95", "repetition<=0.2", "bleu>=40.5"], is_change=False)

    assert reasons_against(judge(held, {None: FIGURES})) == []
    assert reasons_against(judge(broken, {None: FIGURES})) == [
        "stopped is 0.9, and must be at least 0.95",
        "repetition is 0.25, and must be at most 0.2",
        "bleu is 40, and must be at least 40.5",
    ]


def test_losses_against_the_last_blessed_model_are_told() -> None:
    before = FIGURES | {"rouge_l": 0.85, "bleu": 50.0, "repetition": 0.2}
    held = parse_all(["rouge_l>=-0.05", "bleu>=-20%", "repetition<=+25%", "stopped>=+0"], is_change=True)
    broken = parse_all(["rouge_l>=-0.04", "bleu>=-10%", "repetition<=+0.01"], is_change=True)

    assert reasons_against(judge(held, {None: FIGURES}, {None: before})) == []
    assert reasons_against(judge(broken, {None: FIGURES}, {None: before})) == [
        "rouge_l is 0.8, 0.05 less than the last blessed model's 0.85, and at most 0.04 is allowed",
        "bleu is 40, 10 less than the last blessed model's 50, and at most 5 is allowed",
        "repetition is 0.25, 0.05 more than the last blessed model's 0.2, and at most 0.01 is allowed",
    ]
