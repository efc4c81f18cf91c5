"""Arguments that the commands that write TFRecords share; argparse shows the function's name for a wrong value."""

from __future__ import annotations

from typing import Any


def percent(text: str) -> float:
    """Returns a share above 0 and below 100."""
    value = float(text)
    if not 0 < value < 100:
        raise ValueError
    return value


def share(text: str) -> float:
    """Returns a share from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def shard_count(text: str) -> int:
    """Returns the number of files that a split is written to."""
    value = int(text)
    if not 1 <= value <= 99_999:
        raise ValueError
    return value


def add_origin(parser: Any) -> None:
    """Adds what a user may know of a source: `--license` and `--dataset`."""
    parser.add_argument(
        "--license",
        action="append",
        default=[],
        metavar="ID",
        help="the Hub's identifier of the licence, such as cc-by-4.0, for the card; once for all sources, or for each",
    )
    parser.add_argument(
        "--dataset",
        action="append",
        default=[],
        metavar="NAME",
        help="the source's name on the Hub, namespace/name, for the card; may be given several times",
    )
