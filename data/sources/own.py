"""Sources of the user's own: an object of a module, named as `package.module:OBJECT`."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import SourceError
from data.origin import Origin
from data.sources.items import Item, Part, Planned, ReadSettings, Record, SourceKind
from data.tfrecords import Row

_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class RowSource:
    """A source of the user's own, which ``package.module:OBJECT`` names.

    Attributes:
        name: what the report calls it.
        origin: licence, data sets and addresses, for dataset.json.
        rows: gives all rows, from the first: `data.tfrecords.Row`, or mappings with the columns of any known schema.
            It is called in the process that reads, which may be another than the one that was started.
    """

    name: str
    origin: Origin
    rows: Callable[[], Iterable[Row | Mapping[str, Any]]]


def own_source(reference: str) -> RowSource:
    """Returns the source that ``package.module:OBJECT`` refers to.

    Raises:
        SourceError: If there is none, or it is something else.
    """
    try:
        found = pkgutil.resolve_name(reference)
    except (ImportError, AttributeError, ValueError) as error:
        raise SourceError(
            "A source of your own must be an object that can be imported. "
            f"Received: {reference!r}; {error}. Put its module's folder on PYTHONPATH, or mend the name."
        ) from error
    if not isinstance(found, RowSource):
        raise SourceError(
            f"A source of your own must be a data.sources.own.RowSource. Received: {reference!r}, a "
            f"{type(found).__name__}."
        )
    return found


def accepts(address: str) -> bool:
    """Returns whether an address refers to an object, and is no file."""
    return _REFERENCE.fullmatch(address) is not None and not Path(address).exists()


def plan(address: str, settings: ReadSettings) -> Planned:
    """Returns one part: rows that are made cannot be divided."""
    source = own_source(address)
    return Planned((Part(KIND.name, source.name, address),), ({"name": source.name},), source.origin)


def read(part: Part, settings: ReadSettings) -> Iterator[Item]:
    """Yields the rows."""
    for number, row in enumerate(own_source(part.address).rows()):
        fields = row._asdict() if isinstance(row, Row) else row
        yield Record(f"{part.name}, row {number}", fields)


KIND = SourceKind("own", accepts, plan, read)
