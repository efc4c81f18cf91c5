"""Which side a row is on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.splits import asked, content_hash, split_of
from data.tfrecords import Row

any_text = st.text(st.characters(codec="utf-8"))
any_row = st.builds(Row, any_text, any_text, any_text)


@given(st.lists(any_row), st.lists(any_row), st.floats(0, 100))
def test_a_row_stays_on_its_side_when_others_are_added(rows: list[Row], others: list[Row], eval_percent: float) -> None:
    before = {row: split_of(row, eval_percent) for row in rows}
    after = {row: split_of(row, eval_percent) for row in [*others, *rows]}
    assert {row: after[row] for row in rows} == before


@given(any_row, st.floats(0, 100), st.floats(0, 100))
def test_a_larger_percentage_moves_rows_only_from_train_to_eval(row: Row, one: float, other: float) -> None:
    smaller, larger = sorted((one, other))
    assert not (split_of(row, smaller) == "eval" and split_of(row, larger) == "train")


def test_the_sides_of_known_rows_are_pinned() -> None:
    rows = [Row(f"Question {index}", "", "Answer") for index in range(1000)]
    evaluation = [index for index, row in enumerate(rows) if split_of(row, 5) == "eval"]
    assert (len(evaluation), evaluation[:4]) == (65, [5, 39, 67, 72])
    assert {split_of(row, 0) for row in rows} == {"train"}
    assert {split_of(row, 100) for row in rows} == {"eval"}


def test_text_moved_from_one_field_to_the_next_is_another_prompt() -> None:
    assert content_hash(asked(Row("ab", "", "c"))) != content_hash(asked(Row("a", "b", "c")))


@given(st.builds(Row, st.text(min_size=1), any_text, any_text).filter(lambda row: row.instruction.strip()), any_text)
def test_rows_with_the_same_prompt_are_on_one_side_whatever_their_outputs(row: Row, other_output: str) -> None:
    other = Row(f" {row.instruction.upper()}\n", f"{row.input}\t", other_output)
    for eval_percent in (1, 20, 50, 80, 99):
        if asked(row) == asked(other):  # some letters have no one upper case
            assert split_of(row, eval_percent) == split_of(other, eval_percent)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Row("Name a color.", "", "red"), Row("name  a COLOR.", " ", "blue")),
        (Row("Spell it.", "STRASSE", "a"), Row("Spell it.", "straße", "b")),
        (Row("", "", "A  text."), Row("", "", "a text.\n")),
    ],
)
def test_what_differs_in_case_white_space_and_answer_alone_is_asked_once(one: Row, other: Row) -> None:
    assert asked(one) == asked(other)


def test_documents_are_told_apart_by_their_text() -> None:
    assert asked(Row("", "", "One.")) != asked(Row("", "", "Two."))
