"""Training is refused when too many rows do not fit, and which row length would keep enough of them is known."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from modules.settings.training import Overlong
from modules.text.tokenizer import encode_rows
from modules.training.dataset import DatasetError, tokenize_examples
from modules.training.dropped import (
    RowLengths,
    TooManyDroppedError,
    check_dropped,
    needed_length,
    too_many,
)


def test_a_share_of_dropped_rows_up_to_the_limit_passes() -> None:
    check_dropped(dropped=10, read=100, allowed=0.1, sequence_length=128)
    check_dropped(dropped=0, read=100, allowed=0.0, sequence_length=128)
    check_dropped(dropped=100, read=100, allowed=1.0, sequence_length=128)


def test_more_is_refused_with_the_ways_out() -> None:
    with pytest.raises(TooManyDroppedError) as caught:
        check_dropped(dropped=1_100, read=10_000, allowed=0.1, sequence_length=128)
    assert str(caught.value) == (
        "dropped: 1,100 of 10,000 train rows (11.0%) are longer than training.sequence_length=128 tokens and would be "
        "dropped; at most 10.0% may. Raise training.sequence_length or data.max_dropped, set training.overlong to "
        "truncate_prompt, or let it through with --data.allow-anomalies dropped."
    )
    assert caught.value.user_message


@given(
    rows=st.lists(st.tuples(st.text("ab ,\n", max_size=12), st.text("ab ,\n", max_size=12)), min_size=1, max_size=6),
    sequence_length=st.integers(1, 20),
    overlong=st.sampled_from(["drop", "truncate_prompt", "split"]),
)
def test_the_trainer_drops_the_rows_that_need_more_tokens_and_no_others(
    tokenizer: Tokenizer, rows: list[tuple[str, str]], sequence_length: int, overlong: Overlong
) -> None:
    needed = [needed_length(len(prompt), len(response), overlong) for prompt, response in encode_rows(rows, tokenizer)]
    prompts, responses = zip(*rows, strict=True)
    try:
        found = tokenize_examples(
            prompts, responses, tokenizer, sequence_length=sequence_length, overlong=overlong
        ).rows_dropped
    except DatasetError:  # all of them
        found = len(rows)

    assert found == RowLengths(Counter(needed)).dropped(sequence_length)


@given(needed=st.lists(st.integers(1, 30), min_size=1), percent=st.integers(0, 100))
def test_the_smallest_length_keeps_enough_rows_and_one_token_less_does_not(needed: list[int], percent: int) -> None:
    lengths, allowed = RowLengths(Counter(needed)), percent / 100
    smallest = lengths.smallest_length(allowed=allowed)

    def refused(length: int) -> bool:
        return too_many(dropped=lengths.dropped(length), read=lengths.rows, allowed=allowed)

    assert not refused(smallest)
    assert smallest == 0 or refused(smallest - 1)


def test_without_rows_nothing_is_dropped() -> None:
    assert (RowLengths().kept(8), RowLengths().longest, RowLengths().smallest_length(allowed=0.0)) == (1.0, 0, 0)
