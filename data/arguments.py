"""Arguments that the commands that write TFRecords share; argparse shows the function's name for a wrong value."""

from __future__ import annotations

from argparse import ArgumentParser


def percent(text: str) -> float:
    """Returns a share above 0 and below 100."""
    value = float(text)
    if not 0 < value < 100:
        raise ValueError
    return value


def shard_count(text: str) -> int:
    """Returns the number of files that a split is written to."""
    value = int(text)
    if not 1 <= value <= 99_999:
        raise ValueError
    return value


def add_origin(parser: ArgumentParser) -> None:
    """Adds what a user may know of a source: `--license` and `--dataset`."""
    parser.add_argument(
        "--license", metavar="ID", help="the Hub's identifier of the source's licence, such as cc-by-4.0, for the card"
    )
    parser.add_argument(
        "--dataset",
        action="append",
        default=[],
        metavar="NAME",
        help="the source's name on the Hub, namespace/name, for the card; may be given several times",
    )
