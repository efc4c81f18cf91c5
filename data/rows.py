"""Rows straight from a source, uncleaned: for tests, benchmarks and the TFDS builder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from data.cleaning.rules import blank
from data.cleaning.texts import is_input_marker
from data.conversations import Turns
from data.errors import SourceError
from data.schemas import NotThisSchema, Schema, Unusable, convert, schema_of
from data.sources.items import Malformed, ReadSettings
from data.sources.kinds import plan, read
from data.splits import SPLITS, Split, split_of
from data.tfrecords import Row


def read_rows(source: str | Path, *, turns: Turns = "drop") -> Iterator[Row]:
    """Yields the rows of a source of a known schema, as they stand there.

    Raises:
        SourceError: If anything in it is no row.
    """
    settings = ReadSettings()
    schema: Schema | None = None
    for part in plan(str(source), settings).parts:
        for item in read(part, settings):
            if isinstance(item, Malformed):
                raise SourceError(f"{item.location}: {item.problem} Correct it there.")
            schema = schema or schema_of(list(item.fields), {}, part.name)
            try:
                rows = convert(item.fields, schema, turns)
            except NotThisSchema as problem:
                raise SourceError(f"{item.location}: {problem} Correct it there.") from problem
            if isinstance(rows, Unusable):
                raise SourceError(f"{item.location}: a record must give rows. Received: {rows.reason}.")
            yield from rows


def usable_rows(rows: Iterable[Row], *, input_markers: str = "blank") -> Iterator[Row]:
    """Yields rows without those that have nothing to ask or to answer, an input that only says "noinput" emptied."""
    for row in rows:
        if blank(row) is None:
            is_emptied = input_markers == "blank" and is_input_marker(row.input)
            yield row._replace(input="") if is_emptied else row


def split_rows(rows: Iterable[Row], eval_percent: float) -> dict[Split, list[Row]]:
    """Returns the rows of each split, in the order given."""
    sides: dict[Split, list[Row]] = {split: [] for split in SPLITS}
    for row in rows:
        sides[split_of(row, eval_percent)].append(row)
    return sides
