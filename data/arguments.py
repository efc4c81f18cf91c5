"""What the commands that write TFRecords understand alike; argparse shows the function's name for a wrong value."""

from __future__ import annotations


def percent(text: str) -> float:
    """A share above 0 and below 100."""
    value = float(text)
    if not 0 < value < 100:
        raise ValueError
    return value


def shard_count(text: str) -> int:
    """How many files a split is written to."""
    value = int(text)
    if not 1 <= value <= 99_999:
        raise ValueError
    return value
