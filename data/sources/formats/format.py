"""A format of files, as the registry knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from data.sources.items import Item, Part, ReadSettings


@dataclass(frozen=True)
class FileFormat:
    """A format: the suffixes of its files, and how they are read.

    Attributes:
        suffixes: in front of a compression's, such as `.jsonl`.
        read: the records of a part; SourceError where it is damaged or cut.
        is_split: whether a large plain file may be read in parts that begin and end at ends of lines.
    """

    suffixes: tuple[str, ...]
    read: Callable[[Part, ReadSettings], Iterator[Item]]
    is_split: bool = False
