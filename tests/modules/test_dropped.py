"""Training is refused when too many rows do not fit."""

from __future__ import annotations

import pytest

from modules.batches.dropped import TooManyDroppedError, check_dropped


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
