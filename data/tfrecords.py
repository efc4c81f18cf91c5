"""Rows as TFRecord files: write, read, verify.

Each record is a `tf.train.Example` of three bytes features, `instruction`, `input` and `output`. What is written has
all three; what is read may lack `input`, which then counts as empty. In a document of raw text, `output` holds it, and
the other two are empty.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

from google.protobuf.message import DecodeError

from data.records import Damage, Example, read_records, write_record

Kind = Literal["instructions", "text"]
FIELDS = ("instruction", "input", "output")
# Not of every row: without it, or without a value in it, a row has an empty one.
MAY_BE_ABSENT = ("input",)
MUST_NOT_BE_BLANK = ("instruction", "output")
# What a document of raw text leaves empty.
MUST_BE_EMPTY = ("instruction", "input")
NOT_BLANK = "must not be blank"
MISSING = "is missing"
RENAME = (
    "Rename the features where the files are written, or write the files with `python -m data.prepare`, which takes "
    "any columns; --help explains it."
)


class Row(NamedTuple):
    """One instruction in Alpaca's schema; `input` may be empty."""

    instruction: str
    input: str
    output: str


class Problem(NamedTuple):
    """A problem of one record: the rule it breaks, and what was found instead."""

    rule: str
    found: str = ""

    def __str__(self) -> str:
        return f"{self.rule}: {self.found}" if self.found else self.rule


class TFRecordError(ValueError):
    """A TFRecord file that holds something else than instruction rows."""

    user_message = True


def encode(row: Row) -> bytes:
    """Returns `row` as a serialized `tf.train.Example`; the same row always gives the same bytes."""
    example = Example()
    for field, text in zip(FIELDS, row, strict=True):
        example.features.feature[field].bytes_list.value.append(text.encode("utf-8"))
    return bytes(example.SerializeToString(deterministic=True))


def write_examples(path: Path, rows: Iterable[Row]) -> int:
    """Writes `rows` to `path`, which appears only once it is complete; returns how many there were."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            count = _write_all(file, rows)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return count


def read_examples(path: Path) -> Iterator[Row]:
    """Yields the rows of `path` (plain or gzip) in order; TFRecordError at the first record that is not a row."""
    for index, record in enumerate(read_records(path)):
        row = decode(record)
        if not isinstance(row, Row):
            raise TFRecordError(f"{path}, row {index}: {'; '.join(map(str, row))}.")
        yield row


def decode(record: bytes | Damage) -> Row | list[Problem]:
    """Returns the row in `record`, or every problem that keeps it from being one."""
    if isinstance(record, Damage):
        return [Problem("a record must be intact", record.reason)]
    try:
        features = Example.FromString(record).features.feature
    except DecodeError:
        return [Problem("a record must be a tf.train.Example", f"{len(record)} bytes of something else")]
    texts = [_text(features, field) for field in FIELDS]
    problems = [text for text in texts if isinstance(text, Problem)]
    return problems or Row(*(text for text in texts if isinstance(text, str)))


def content_problems(row: Row, kind: Kind = "instructions") -> list[Problem]:
    """Returns what keeps an intact row from being an instruction, or a document, to learn from."""
    if kind == "text":
        filled = [name for name in MUST_BE_EMPTY if getattr(row, name)]
        problems = [Problem(f"field {name!r} of a document must be empty", repr(getattr(row, name))) for name in filled]
        return problems if row.output.strip() else [*problems, Problem(f"a document {NOT_BLANK}")]
    blank = [name for name in MUST_NOT_BE_BLANK if not getattr(row, name).strip()]
    return [Problem(f"field {name!r} {NOT_BLANK}") for name in blank]


def verify(
    paths_by_split: Mapping[str, Sequence[Path]],
    *,
    kind: Kind = "instructions",
    blank_allowed: bool = False,
    shown_per_rule: int = 5,
) -> list[str]:
    """Returns every problem in the splits' files, one sentence each; empty when all rows are fit for training.

    Of each rule broken, the first `shown_per_rule` places are named and the rest are counted; rows that lack the same
    fields are one problem. With `blank_allowed`, blank texts are no problem.
    """
    findings = _Findings(shown_per_rule)
    for split, paths in paths_by_split.items():
        if not paths:
            findings.add(f"split {split!r}", Problem("a split must have files", "none"))
            continue
        rows = sum(_verify_file(path, kind, findings, blank_allowed=blank_allowed) for path in paths)
        if not rows:
            found = f"none in {len(paths)} file(s)"
            findings.add(f"split {split!r}", Problem("a split must have rows", found))
    return findings.sentences()


class _Findings:
    """Problems in the order found, each rule's list cut at a limit and counted.

    Rows that lack fields usually all do, so these are told first, and once for all that lack and have the same.
    """

    def __init__(self, shown_per_rule: int) -> None:
        self._shown_per_rule = shown_per_rule
        self._sentences: list[str] = []
        self._counts: Counter[str] = Counter()
        self._lacking: Counter[tuple[Problem, ...]] = Counter()
        self._first_lacking: dict[tuple[Problem, ...], str] = {}

    def add_row(self, location: str, problems: Sequence[Problem]) -> None:
        missing = tuple(problem for problem in problems if problem.rule.endswith(MISSING))
        if missing:
            self._lacking[missing] += 1
            self._first_lacking.setdefault(missing, location)
        for problem in problems:
            if problem not in missing:
                self.add(location, problem)

    def add(self, location: str, problem: Problem) -> None:
        self._counts[problem.rule] += 1
        if self._counts[problem.rule] <= self._shown_per_rule:
            self._sentences.append(f"{location}: {problem}")

    def sentences(self) -> list[str]:
        hidden = {rule: count - self._shown_per_rule for rule, count in self._counts.items()}
        more = [f"and {more} more: {rule}" for rule, more in hidden.items() if more > 0]
        return [*map(self._lacks, self._lacking), *self._sentences, *more]

    def _lacks(self, missing: tuple[Problem, ...]) -> str:
        others = self._lacking[missing] - 1
        location = self._first_lacking[missing] + (f" and {others:,} more" if others else "")
        fields = ", ".join(problem.rule.removesuffix(f" {MISSING}") for problem in missing)
        lacking = f"{fields} are missing" if len(missing) > 1 else missing[0].rule
        return f"{location}: {lacking}: {missing[0].found}. {RENAME}"


def _verify_file(path: Path, kind: Kind, findings: _Findings, *, blank_allowed: bool) -> int:
    """Returns how many rows `path` has, those included that lack fields; its problems go to `findings`."""
    good = 0
    try:
        for index, record in enumerate(read_records(path)):
            row = decode(record)
            problems = content_problems(row, kind) if isinstance(row, Row) else row
            good += isinstance(row, Row) or any(problem.rule.endswith(MISSING) for problem in problems)
            allowed = NOT_BLANK if blank_allowed else ()
            findings.add_row(f"{path}, row {index}", [each for each in problems if not each.rule.endswith(allowed)])
    except OSError as error:
        findings.add(str(path), Problem("a file must be readable", error.strerror or str(error)))
    return good


def lacks(features: Any, field: str) -> bool:
    """Returns whether an Example's feature map has no value of `field`, whatever the way to say so."""
    if field not in features:
        return True
    kind = features[field].WhichOneof("kind")
    return kind is None or not getattr(features[field], kind).value


def _text(features: Any, field: str) -> str | Problem:
    """Returns the text of `field` in an Example's feature map."""
    if field in MAY_BE_ABSENT and lacks(features, field):
        return ""
    feature = features.get(field)
    if feature is None:
        return Problem(f"field {field!r} {MISSING}", f"has {', '.join(sorted(features)) or 'no fields'}")
    kind = feature.WhichOneof("kind")
    if kind != "bytes_list":
        return Problem(f"field {field!r} must be bytes", f"is {kind or 'empty'}")
    values = feature.bytes_list.value
    if len(values) != 1:
        return Problem(f"field {field!r} must hold one value", f"holds {len(values)}")
    try:
        return str(values[0], "utf-8")
    except UnicodeDecodeError as error:
        found = f"byte 0x{values[0][error.start]:02x} at {error.start}"
        return Problem(f"field {field!r} must be UTF-8", found)


def _write_all(file: BinaryIO, rows: Iterable[Row]) -> int:
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007  (the last value is the count)
        write_record(file, encode(row))
    return count
