"""Checks of the data gate. Plain functions: protos and bytes in, sentences out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from data.records import Example
from data.tfrecords import FIELDS, MUST_NOT_BE_BLANK, Kind, Row, content_problems, decode
from pipeline.components.data_gate.anomalies import Anomaly
from pipeline.components.data_gate.survey import Finding, Survey
from pipeline.components.data_gate.texts import TextSurvey
from pipeline.errors import PipelineError
from publishing.errors import numbered

EXCERPT_CHARACTERS = 60


class DataGateError(PipelineError):
    """The data are not fit for training; the message lists every problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(numbered("The data are not fit for training", problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Content:
    """One split's rows.

    Attributes:
        survey: what they look like.
        texts: their columns, and what the hash of the data is made from.
        problems: rows that nothing can be trained on.
        anomalies: rows that nothing should be trained on.
    """

    survey: Survey
    texts: TextSurvey
    problems: list[str]
    anomalies: list[Anomaly]


def schema_anomalies(anomalies: anomalies_pb2.Anomalies, split: str) -> list[Anomaly]:
    """Returns ExampleValidator's findings in one split, in their own words; mere warnings left out."""
    found = [
        f"feature {feature!r}, split {split!r}: {_words(info)}"
        for feature, info in sorted(anomalies.anomaly_info.items())
        if _is_error(info)
    ]
    if anomalies.HasField("dataset_anomaly_info") and _is_error(anomalies.dataset_anomaly_info):
        found.append(f"the whole split {split!r}: {_words(anomalies.dataset_anomaly_info)}")
    return [Anomaly("schema", words) for words in found]


def schema_problems(schema: schema_pb2.Schema) -> list[str]:
    """Returns the features that training needs and the schema does not promise (an inferred one may not)."""
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
    """Returns the splits without a row."""
    return [
        f"split {split!r} must have rows. Received: none. Check the files and the patterns in [data]."
        for split, of_split in statistics.items()
        if row_count(of_split) == 0
    ]


def row_count(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> int:
    """Returns how many rows these statistics describe."""
    return int(statistics.datasets[0].num_examples) if statistics.datasets else 0


def check_content(
    records: Iterable[bytes], *, split: str, survey: Survey, kind: Kind = "instructions", shown_per_rule: int = 5
) -> Content:
    """Reads every row of a split: the texts must be there and UTF-8, instruction and output should not be blank.

    Args:
        records: serialized ``tf.train.Example``s.
        split: its name, for the messages.
        survey: takes in the rows that can be trained on.
        kind: of what the rows are.
        shown_per_rule: rows quoted per kind of problem; the others are counted.
    """
    counts: Counter[str] = Counter()
    problems: list[str] = []
    blank, texts = Finding(), TextSurvey()
    for record in records:
        row = decode(record)
        if isinstance(row, list):
            texts.add_unreadable(record)
        else:
            texts.add(row)
            survey.add(row, partial(excerpt, record))
            if fields := _blank_fields(row, kind):
                blank.add(partial(_blank_excerpt, record, fields))
                continue
        for problem in row if isinstance(row, list) else content_problems(row, kind):
            counts[problem.rule] += 1
            if counts[problem.rule] <= shown_per_rule:
                problems.append(f"split {split!r}, row {excerpt(record)}: {problem}")
    hidden = {rule: count - shown_per_rule for rule, count in counts.items() if count > shown_per_rule}
    problems += [f"split {split!r}: and {more} more rows: {rule}" for rule, more in hidden.items()]
    return Content(survey, texts, problems, _blank_anomalies(blank, survey, split))


def excerpt(record: bytes) -> str:
    """Returns the beginning of a row's texts, to find it by: rows have no other name after they were shuffled."""
    features = Example.FromString(record).features.feature
    for name in FIELDS:
        values = features[name].bytes_list.value if name in features else ()
        text = " ".join(str(values[0], "utf-8", "replace").split()) if values else ""
        if text:
            cut = text[:EXCERPT_CHARACTERS] + "…" if len(text) > EXCERPT_CHARACTERS else text
            return f"with {name} {cut!r}"
    return "without any text"


def _blank_fields(row: Row, kind: Kind) -> list[str]:
    fields = MUST_NOT_BE_BLANK if kind == "instructions" else ("output",)
    return [name for name in fields if not getattr(row, name).strip()]


def _blank_excerpt(record: bytes, fields: Sequence[str]) -> str:
    return f"{excerpt(record)} ({' and '.join(fields)})"


def _blank_anomalies(blank: Finding, survey: Survey, split: str) -> list[Anomaly]:
    if not blank.rows:
        return []
    words = f"{blank.rows:,} of {survey.rows:,} {split} rows have a blank instruction or output"
    return [Anomaly("blank", words, tuple(blank.examples), "Remove them")]


def _words(info: anomalies_pb2.AnomalyInfo) -> str:
    return f"{info.short_description}. {info.description}".strip()


def _is_error(info: anomalies_pb2.AnomalyInfo) -> bool:
    return bool(info.severity != anomalies_pb2.AnomalyInfo.WARNING)
