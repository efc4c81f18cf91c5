"""Refuses to train when too many rows do not fit."""

from __future__ import annotations


class TooManyDroppedError(RuntimeError):
    """More training rows are too long for a training row than may be dropped."""

    user_message = True


def check_dropped(*, dropped: int, read: int, allowed: float, sequence_length: int) -> None:
    """Refuses to go on where a model would not see what its data hold.

    Args:
        dropped: training rows left out because they do not fit.
        read: training rows there were.
        allowed: share of them that may be dropped, 0 to 1.
        sequence_length: length of a training row in tokens.

    Raises:
        TooManyDroppedError: If it is more than that.
    """
    if dropped <= allowed * read:
        return
    raise TooManyDroppedError(
        f"dropped: {dropped:,} of {read:,} train rows ({dropped / read:.1%}) are longer than "
        f"training.sequence_length={sequence_length} tokens and would be dropped; at most {allowed:.1%} may. "
        "Raise training.sequence_length or data.max_dropped, set training.overlong to truncate_prompt, or let it "
        "through with --data.allow-anomalies dropped."
    )
