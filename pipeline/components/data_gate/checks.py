"""What the data gate looks for. Plain functions: protos and bytes in, sentences out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from data.records import Example
from data.tfrecords import FIELDS, MUST_NOT_BE_BLANK, Problem, Row, decode
from pipeline.errors import PipelineError, numbered

EXCERPT_CHARACTERS = 60


class DataGateError(PipelineError):
    """The data are not fit for training; the message lists every problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(numbered("The data are not fit for training", problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Content:
    """What one split's rows look like."""

    rows: int
    problems: list[str]


def anomaly_problems(anomalies: anomalies_pb2.Anomalies, *, split: str) -> list[str]:
    """ExampleValidator's anomalies of one split, in their own words; mere warnings left out."""
    found = [
        f"feature {feature!r}, split {split!r}: {_words(info)}"
        for feature, info in sorted(anomalies.anomaly_info.items())
        if _is_error(info)
    ]
    if anomalies.HasField("dataset_anomaly_info") and _is_error(anomalies.dataset_anomaly_info):
        found.append(f"the whole split {split!r}: {_words(anomalies.dataset_anomaly_info)}")
    return found


def schema_problems(schema: schema_pb2.Schema) -> list[str]:
    """Features that training needs and the schema does not promise (an inferred one may not)."""
    types = {feature.name: feature.type for feature in schema.feature}
    missing = [name for name in FIELDS if name not in types]
    problems = []
    if missing:
        present = ", ".join(sorted(types)) or "none"
        problems.append(f"The rows need the features {', '.join(FIELDS)}. Received: {present}. Rename them.")
    for name in FIELDS:
        if name in types and types[name] != schema_pb2.BYTES:
            kind = schema_pb2.FeatureType.Name(types[name])
            problems.append(f"feature {name!r} must hold text (BYTES). Received: {kind}. Write it as bytes.")
    return problems


def statistics_problems(statistics: Mapping[str, statistics_pb2.DatasetFeatureStatisticsList]) -> list[str]:
    """Splits without a row."""
    return [
        f"split {split!r} must have rows. Received: none. Check the files and the patterns in [data]."
        for split, of_split in statistics.items()
        if row_count(of_split) == 0
    ]


def row_count(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> int:
    """Rows that these statistics describe."""
    return int(statistics.datasets[0].num_examples) if statistics.datasets else 0


def check_content(records: Iterable[bytes], *, split: str, shown_per_rule: int = 5) -> Content:
    """Reads every row of a split: text must be UTF-8, instruction and output must not be blank.

    Args:
        records: serialized ``tf.train.Example``s.
        split: its name, for the messages.
        shown_per_rule: rows quoted per kind of problem; the others are counted.
    """
    rows = 0
    counts: Counter[str] = Counter()
    problems: list[str] = []
    for record in records:
        rows += 1
        for problem in _row_problems(record):
            counts[problem.rule] += 1
            if counts[problem.rule] <= shown_per_rule:
                problems.append(f"split {split!r}, row {excerpt(record)}: {problem}")
    hidden = {rule: count - shown_per_rule for rule, count in counts.items() if count > shown_per_rule}
    problems += [f"split {split!r}: and {more} more rows: {rule}" for rule, more in hidden.items()]
    return Content(rows, problems)


def excerpt(record: bytes) -> str:
    """The beginning of a row's texts, to find it by: rows have no other name after they were shuffled."""
    features = Example.FromString(record).features.feature
    for name in FIELDS:
        values = features[name].bytes_list.value if name in features else ()
        text = " ".join(str(values[0], "utf-8", "replace").split()) if values else ""
        if text:
            cut = text[:EXCERPT_CHARACTERS] + "…" if len(text) > EXCERPT_CHARACTERS else text
            return f"with {name} {cut!r}"
    return "without any text"


def _row_problems(record: bytes) -> list[Problem]:
    row = decode(record)
    if not isinstance(row, Row):
        return row
    blank = [name for name in MUST_NOT_BE_BLANK if not getattr(row, name).strip()]
    return [Problem(f"{name} must not be blank") for name in blank]


def _words(info: anomalies_pb2.AnomalyInfo) -> str:
    return f"{info.short_description}. {info.description}".strip()


def _is_error(info: anomalies_pb2.AnomalyInfo) -> bool:
    return bool(info.severity != anomalies_pb2.AnomalyInfo.WARNING)
