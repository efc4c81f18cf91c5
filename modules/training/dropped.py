"""Rows that do not fit a training row, and when they are too many to train without them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modules.settings.training import Overlong


class TooManyDroppedError(RuntimeError):
    """More training rows are too long for a training row than may be dropped."""

    user_message = True


def needed_length(prompt_tokens: int, response_tokens: int, overlong: Overlong) -> int:
    """Returns the smallest sequence length, in tokens, with which a row is not dropped.

    The end token takes the one token that a row of so many inputs and targets has to spare. An empty prompt counts as
    one token, the end token of what came before.

    Args:
        prompt_tokens: length of the prompt.
        response_tokens: length of the response without its end token, which are never cut.
        overlong: ``drop`` keeps a row whole; ``truncate_prompt`` keeps at least one token of its prompt; ``split``
            drops nothing.
    """
    if overlong == "split":
        return 0
    return response_tokens + (max(prompt_tokens, 1) if overlong == "drop" else 1)


def too_many(*, dropped: int, read: int, allowed: float) -> bool:
    """Returns whether more rows are dropped than the share `allowed`, 0 to 1, of those that were read."""
    return dropped > allowed * read


@dataclass
class RowLengths:
    """Counts rows by the sequence length that they need; takes memory for each length, not for each row."""

    counts: Counter[int] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """Returns how many rows were counted."""
        return self.counts.total()

    @property
    def longest(self) -> int:
        """Returns the sequence length, in tokens, that keeps all rows."""
        return max(self.counts, default=0)

    def dropped(self, sequence_length: int) -> int:
        """Returns how many rows need more than `sequence_length` tokens."""
        return sum(count for needed, count in self.counts.items() if needed > sequence_length)

    def kept(self, sequence_length: int) -> float:
        """Returns the share of the rows, 0 to 1, that `sequence_length` tokens keep."""
        return 1 - self.dropped(sequence_length) / self.rows if self.rows else 1.0

    def smallest_length(self, *, allowed: float) -> int:
        """Returns the smallest sequence length, in tokens, that drops no more than the share `allowed`, 0 to 1."""
        dropped = 0
        for needed, count in sorted(self.counts.items(), reverse=True):
            dropped += count
            if too_many(dropped=dropped, read=self.rows, allowed=allowed):
                return needed
        return 0


def check_dropped(*, dropped: int, read: int, allowed: float, sequence_length: int) -> None:
    """Refuses to go on where a model would not see what its data hold.

    DataGate looks for the same before, unless a run set its lengths only after the pipeline was compiled.

    Args:
        dropped: training rows left out because they do not fit.
        read: training rows there were.
        allowed: share of them that may be dropped, 0 to 1.
        sequence_length: length of a training row in tokens.

    Raises:
        TooManyDroppedError: If it is more than that.
    """
    if not too_many(dropped=dropped, read=read, allowed=allowed):
        return
    raise TooManyDroppedError(
        f"dropped: {dropped:,} of {read:,} train rows ({dropped / read:.1%}) are longer than "
        f"training.sequence_length={sequence_length} tokens and would be dropped; at most {allowed:.1%} may. "
        "Raise training.sequence_length or data.max_dropped, set training.overlong to truncate_prompt, or let it "
        "through with --data.allow-anomalies dropped."
    )
