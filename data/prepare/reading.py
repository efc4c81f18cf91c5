"""The first stage: a part of a source is read, mapped, cleaned, hashed and stored."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from data.cleaning import contamination
from data.cleaning.languages import UNKNOWN, language_of
from data.cleaning.privacy import scrub, scrubbed
from data.cleaning.rules import Finding, first_finding
from data.cleaning.similarity import signatures
from data.cleaning.texts import is_input_marker, tidy, without_input_marker
from data.cleaning.tokens import count_tokens
from data.prepare import dropped
from data.prepare.settings import PrepareSettings
from data.prepare.store import BATCH_ROWS, Keys, RowWriter, Stored
from data.prepare.tally import Tally
from data.prepare.work import Result, Work
from data.schemas import NotThisSchema, Schema, Unusable, convert
from data.sources.items import Malformed, Part, Record
from data.sources.kinds import read
from data.splits import asked, content_hash, normalised_row
from data.tfrecords import Row

MALFORMED = "malformed"


class Candidate(NamedTuple):
    """A row that has come so far."""

    row: Row
    location: str
    group: str


def read_part(work: Work, index: int) -> Result:
    """Reads a part into the work folder; returns its counts.

    Raises:
        SourceError: If the part is damaged or cut, or its source does not answer.
    """
    return _Reader(work, index).run()


class _Reader:
    """Reads one part; what goes is written to the side file where it is found."""

    def __init__(self, work: Work, index: int) -> None:
        self._work, self._index = work, index
        self._settings: PrepareSettings = work.settings
        self._part: Part = work.parts[index]
        self._schema = _schema(work.plan()["schemas"][self._part.source])
        self._prompts = _prompts(work) if self._settings.decontaminate else None
        self._tally = Tally()
        self._is_near = self._settings.deduplicate == "near"

    def run(self) -> Result:
        writer = RowWriter(self._work, self._index, with_bands=self._is_near)
        side = self._work.path("dropped", f"{self._index:06d}.jsonl.gz")
        with dropped.writing(side) as self._side, writer.writing():
            kept = self._usable()
            while batch := list(itertools.islice(kept, BATCH_ROWS)):
                rows = [candidate for candidate, _ in batch]
                bands = signatures([each.row for each in rows]) if self._is_near else None
                writer.write([stored for _, stored in batch], _keys(rows, bands))
        self._tally.counts["kept"] = writer.count
        return {"part": self._index, "source": self._part.source, "rows": writer.count, **self._tally.as_dict()}

    def _usable(self) -> Iterator[tuple[Candidate, Stored]]:
        """Yields the rows to keep, which are counted in tokens many at a time."""
        candidates = self._candidates()
        while batch := list(itertools.islice(candidates, BATCH_ROWS)):
            lengths = [-1] * len(batch)
            if self._settings.tokenizer:
                lengths = count_tokens([each.row for each in batch], self._settings.tokenizer)
            for candidate, tokens in zip(batch, lengths, strict=True):
                language = language_of(f"{candidate.row.instruction} {candidate.row.output}").code
                if finding := self._length_finding(tokens) or self._language_finding(language):
                    self._drop_row(finding, candidate)
                else:
                    yield candidate, Stored(candidate.row, candidate.location, language, tokens)

    def _candidates(self) -> Iterator[Candidate]:
        for item in read(self._part, self._settings.read):
            self._tally.counts["records"] += 1
            if isinstance(item, Malformed):
                self._drop_malformed(item.problem, item.location, item.raw)
                continue
            for row in self._rows_of(item):
                self._tally.counts["rows"] += 1
                candidate = self._cleaned(row, item)
                if finding := self._finding(candidate.row):
                    self._drop_row(finding, candidate)
                else:
                    yield candidate

    def _rows_of(self, record: Record) -> list[Row]:
        """Returns the rows of a record; none if it is not of the schema, or cannot be used."""
        try:
            found = convert(record.fields, self._schema, self._settings.turns)
        except NotThisSchema as problem:
            self._drop_malformed(str(problem), record.location, _as_json(record))
            return []
        if isinstance(found, Unusable):
            self._tally.counts["rows"] += 1
            text = self._without_secrets(_as_json(record))
            self._drop(Finding(*found), record.location, text, {"raw": text})
            return []
        return found

    def _cleaned(self, row: Row, record: Record) -> Candidate:
        if self._settings.scrub:
            row = scrub(row, self._tally.scrubbed)
        row = tidy(row, self._schema.kind)
        if self._schema.kind == "instructions" and self._settings.input_markers == "blank":
            if is_input_marker(row.input):
                self._tally.markers[row.input] += 1
            row = without_input_marker(row)
        group = str(record.fields.get(self._settings.group, "")) if self._settings.group else ""
        return Candidate(row, record.location, group)

    def _finding(self, row: Row) -> Finding | None:
        if finding := first_finding(row, self._schema.kind, frozenset(self._settings.keep)):
            return finding
        return contamination.overlap(row, self._prompts) if self._prompts else None

    def _length_finding(self, tokens: int) -> Finding | None:
        if 0 <= tokens < self._settings.min_tokens:
            return Finding("too short", f"{tokens} tokens")
        if self._settings.max_tokens and tokens > self._settings.max_tokens:
            return Finding("too long", f"{tokens} tokens")
        return None

    def _language_finding(self, language: str) -> Finding | None:
        wanted = self._settings.languages
        if not wanted or language in (*wanted, UNKNOWN):
            return None
        return Finding("another language", language)

    def _drop_row(self, finding: Finding, candidate: Candidate) -> None:
        text = candidate.row.instruction or candidate.row.output
        self._drop(finding, candidate.location, text, {"row": candidate.row._asdict()})

    def _drop_malformed(self, problem: str, location: str, raw: str) -> None:
        self._tally.counts[MALFORMED] += 1
        self._tally.counts["rows"] += 1
        shown = self._without_secrets(raw)
        self._drop(Finding(MALFORMED, self._without_secrets(problem)), location, shown, {"raw": shown})

    def _drop(self, finding: Finding, location: str, text: str, content: dict[str, Any]) -> None:
        self._tally.drop(finding, location, text)
        self._side.write(finding, location, content)

    def _without_secrets(self, text: str) -> str:
        return scrubbed(text, self._tally.scrubbed) if self._settings.scrub else text


def _keys(rows: list[Candidate], bands: np.ndarray | None) -> Keys:
    of_rows = np.array([_halves(content_hash(normalised_row(each.row))) for each in rows], np.uint64)
    of_asked = np.array([_halves(content_hash(asked(each.row)))[0] for each in rows], np.uint64)
    groups = np.array([_halves(content_hash((each.group,)))[0] if each.group else 0 for each in rows], np.uint64)
    return Keys(of_rows, of_asked, groups, np.zeros((len(rows), 0), np.uint64) if bands is None else bands)


def _as_json(record: Record) -> str:
    return json.dumps(dict(record.fields), ensure_ascii=False, default=str)


def _halves(digest: bytes) -> tuple[int, int]:
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")


def _schema(values: dict[str, Any]) -> Schema:
    return Schema(values["name"], values["columns"], tuple(values["optional"]))


@lru_cache(maxsize=1)
def _prompts_of(folder: str, texts: tuple[str, ...], words: int) -> contamination.Prompts:
    return contamination.prepared(texts, words)


def _prompts(work: Work) -> contamination.Prompts:
    texts = tuple(work.plan()["evaluation_prompts"])
    return _prompts_of(str(work.folder), texts, work.settings.ngram)
