"""The record of DataGate about the rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import PlainSerializer, PlainValidator

from data.origin import Origin, origin_of
from modules.record import Record, RecordPart
from pipeline.components.artifact_reference import ArtifactReference


def _read_origin(given: Any) -> Origin:
    return given if isinstance(given, Origin) else origin_of(given)


DatasetOrigin = Annotated[Origin, PlainValidator(_read_origin), PlainSerializer(Origin.as_dict)]


class Lengths(RecordPart):
    """The lengths of one part of the rows, in characters.

    Attributes:
        mean: of all rows.
        longest: of all rows.
        bins: how many rows there are in each bin of :func:`pipeline.components.data_gate.survey.length_bin`.
    """

    mean: float
    longest: int
    bins: Mapping[str, int]


class SplitSurvey(RecordPart):
    """Statistics of a split's rows, for a later run to compare its rows with.

    Attributes:
        rows: that can be read.
        with_input: share of them that have an input, 0 to 1.
        characters: of ``prompt`` (instruction and input) and ``response``.
    """

    rows: int
    with_input: float
    characters: Mapping[str, Lengths]


class TextColumn(RecordPart):
    """One text column of a split.

    Attributes:
        blank: rows without a text in it.
        longest: characters.
        lengths: an upper bound in characters, and how many rows are up to that long and longer than the bound before;
            the last bound stands for all that are longer.
    """

    blank: int
    longest: int
    lengths: tuple[tuple[int, int], ...]


class TokenCounts(RecordPart):
    """Lengths of the train rows in the Trainer's tokens.

    Attributes:
        sequence_length: of a training row, in tokens.
        rows: counted.
        dropped: rows that are too long.
        longest: tokens of the longest row.
    """

    sequence_length: int
    rows: int
    dropped: int
    longest: int


class AllowedAnomaly(RecordPart):
    """An anomaly that was found and let through: a name of `anomalies.NAMES`, words, and rows that show it."""

    name: str
    words: str
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.words}"


class DataRecord(Record):
    """DataGate's findings.

    Attributes:
        rows: by split.
        splits: what the rows look like, by split.
        texts: the text columns, by split and name.
        content_hash: SHA-256 over the rows of all splits, the same in whatever order and files.
        shares: by split, the shares of the rows that are ``overlong``, ``duplicates``, (of evaluation rows)
            ``in_train`` and (of train rows) ``dropped``.
        tokens: of the train rows; None if they were not counted.
        skew: distances of the evaluation rows from the train rows, as `rules.distances` gives them; None where they
            cannot be compared.
        drift: distances of the train rows from those of `earlier`; None where there is nothing to compare with.
        allowed: what was found and let through.
        notes: what was not looked at.
        problems: for which the run was stopped, in words.
        dataset: licence, data sets and sources that the rows came with; None if with none.
        earlier: the blessing of the rows that `drift` is against; None if there is none.
    """

    FILE: ClassVar[str] = "report.json"

    rows: Mapping[str, int]
    splits: Mapping[str, SplitSurvey] = {}
    texts: Mapping[str, Mapping[str, TextColumn]] = {}
    content_hash: str | None = None
    shares: Mapping[str, Mapping[str, float]] = {}
    tokens: TokenCounts | None = None
    skew: Mapping[str, float] | None = None
    drift: Mapping[str, float] | None = None
    allowed: tuple[AllowedAnomaly, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    dataset: DatasetOrigin | None = None
    earlier: ArtifactReference | None = None
