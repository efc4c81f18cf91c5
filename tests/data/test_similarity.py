"""Near-duplicates: which texts repeat each other, and which only look so."""

from __future__ import annotations

import pytest

from data.cleaning.similarity import BANDS, signatures, texts_alike
from data.tfrecords import Row

PINNED = ["0x80d6c5f0cdc55a3e", "0x99072af99c7fea07"]
LONG = "The committee met on Tuesday and discussed the new bridge over the river, its cost and the time it would take."


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is the capital of Poland?", "please tell me the CAPITAL of poland"),
        ("Name three birds.", "Name three birds!!"),
        ("A young dog is called what?", "Tell me what a young dog is called."),
        (LONG, LONG.replace("met on Tuesday and discussed", "discussed and met on Tuesday")),
        (LONG, LONG.upper().replace(",", "")),
        (LONG, LONG.replace("cost", "price")),
        ("1,000 birds", "1000 birds"),
        ("日本の首都はどこですか", "日本の首都はどこですか。"),
    ],
)
def test_texts_that_say_the_same_are_alike(one: str, other: str) -> None:
    assert texts_alike(one, other, 0.7)
    assert texts_alike(other, one, 0.7)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is the capital of Poland?", "What is the capital of France?"),
        ("Add 3 and 4.", "Add 3 and 5."),
        ('Is the word "city" a noun or a verb?', 'Is the word "walk" a noun or a verb?'),
        ("The bird can fly.", "The bird cannot fly."),
        (LONG, LONG.replace("discussed", "never discussed")),
        (LONG, LONG.replace("Tuesday", "Friday")),
        (LONG, LONG.replace("the new bridge", "2 new bridges")),
        ("horse", "dog"),
        ("", "something"),
    ],
)
def test_texts_that_differ_in_what_they_are_about_are_not(one: str, other: str) -> None:
    assert not texts_alike(one, other, 0.7)
    assert not texts_alike(other, one, 0.7)


def test_rows_that_ask_the_same_share_a_band_and_the_hashes_are_pinned() -> None:
    rows = [Row("Name the capital of Poland.", "", "Warsaw"), Row("please NAME the capital of poland", "", "")]

    found = signatures([*rows, Row("", "", LONG)])

    assert found.shape == (3, BANDS)
    assert (found[0] == found[1]).all()
    assert not (found[0] == found[2]).any()
    assert [hex(int(value)) for value in found[0, :2]] == PINNED
