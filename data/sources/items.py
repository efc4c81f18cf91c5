"""Values that pass from a source to what cleans its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from data.origin import Origin


class Record(NamedTuple):
    """One record of a source: its columns as they stand there, and where."""

    location: str
    fields: Mapping[str, Any]


class Malformed(NamedTuple):
    """A stand-in for a record that cannot be read; those around it can."""

    location: str
    problem: str  # rule, what was received
    raw: str  # as much of it as is text


Item = Record | Malformed


@dataclass(frozen=True)
class Part:
    """A piece of a source that one worker reads from its start to its end, in its order.

    Attributes:
        kind: name of the source's kind, a key of `data.sources.KINDS`.
        name: how messages call it.
        address: what to open.
        source: position of its source among those given.
        start: first byte, row group or the like; what it counts is the kind's affair.
        end: the first one no more read; None reads all.
        first_line: number of the first line, where lines are counted.
        details: what else the kind needs; plain JSON data, without any secret.
    """

    kind: str
    name: str
    address: str
    source: int = 0
    start: int = 0
    end: int | None = None
    first_line: int = 1
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Returns plain JSON data; `Part(**data)` is the part again."""
        return asdict(self)


@dataclass(frozen=True)
class Planned:
    """The plan of reading a source.

    Attributes:
        parts: its pieces, in order.
        facts: what the report says of each file or the like: name, sha256 and bytes where there is one.
        origin: licence, data sets and names, as far as the source tells them.
    """

    parts: tuple[Part, ...]
    facts: tuple[Mapping[str, Any], ...]
    origin: Origin


@dataclass(frozen=True)
class ReadSettings:
    """Settings of how sources are read.

    Attributes:
        separator: what parts a text file into documents: file, blank-lines or end-token.
        max_row_bytes: a longer line or record is malformed, bytes.
        part_bytes: a file of lines that is larger is read in parts of about this size, bytes.
        query: MongoDB's filter, JSON text.
        projection: MongoDB's projection, JSON text; empty gives all fields.
        batch_size: documents per answer of MongoDB.
        part_rows: documents of MongoDB per part; a resumed run repeats no more than a part.
    """

    separator: str = "file"
    max_row_bytes: int = 64 << 20
    part_bytes: int = 64 << 20
    query: str = "{}"
    projection: str = ""
    batch_size: int = 1000
    part_rows: int = 50_000


@dataclass(frozen=True)
class SourceKind:
    """A kind of source: one entry of the registry.

    Attributes:
        name: key in the registry.
        accepts: whether an address is of this kind.
        plan: looks at the source without reading its rows; SourceError if it cannot be read.
        read: the records of one part; SourceError where the part is damaged or cut.
        is_live: whether the source changes while it is read, so that a resumed run must keep the plan it had.
    """

    name: str
    accepts: Callable[[str], bool]
    plan: Callable[[str, ReadSettings], Planned]
    read: Callable[[Part, ReadSettings], Iterator[Item]]
    is_live: bool = False
