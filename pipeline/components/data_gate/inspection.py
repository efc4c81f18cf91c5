"""One look at all the rows: what cannot be trained on, what is unusual, and what they look like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import anomalies_pb2

from data.tfrecords import Kind
from pipeline.components.data_gate import checks, rules
from pipeline.components.data_gate.anomalies import Anomaly, Limits
from pipeline.components.data_gate.record import AllowedAnomaly, DataRecord
from pipeline.components.data_gate.survey import Survey
from pipeline.components.data_gate.texts import hash_rows
from pipeline.components.data_gate.tokens import TokenSurvey


@dataclass(frozen=True)
class Inspection:
    """Findings about the rows.

    Attributes:
        contents: by split.
        anomalies: everything unusual.
        skew: distances of the evaluation rows from the train rows; None if they cannot be compared.
        drift: distances of the train rows from the last accepted run's; likewise.
        notes: what was not looked at.
        tokens: of the train rows; None if they were not counted.
    """

    contents: Mapping[str, checks.Content]
    anomalies: tuple[Anomaly, ...]
    skew: Mapping[str, float] | None
    drift: Mapping[str, float] | None
    notes: tuple[str, ...]
    tokens: TokenSurvey | None = None

    def problems(self, allow: Set[str]) -> list[str]:
        """Returns what must stop the run, if the anomalies of these names are let through."""
        unfit = [problem for content in self.contents.values() for problem in content.problems]
        return unfit + [str(anomaly) for anomaly in self.anomalies if anomaly.name not in allow]

    def record(self, allow: Set[str]) -> DataRecord:
        """Returns what is to be kept, if the anomalies of these names are let through."""
        contents = self.contents.items()
        return DataRecord(
            rows={split: content.survey.rows for split, content in contents},
            splits={split: content.survey.summary() for split, content in contents},
            texts={split: content.texts.columns() for split, content in contents},
            content_hash=hash_rows({split: content.texts for split, content in contents}),
            shares=self._shares(),
            tokens=self.tokens.counts() if self.tokens else None,
            skew=self.skew,
            drift=self.drift,
            allowed=tuple(_recorded(anomaly) for anomaly in self.anomalies if anomaly.name in allow),
            notes=self.notes,
        )

    def _shares(self) -> dict[str, dict[str, float]]:
        shares = {split: _shares(content.survey) for split, content in self.contents.items()}
        if self.tokens:
            shares[rules.TRAIN]["dropped"] = self.tokens.share
        return shares


def inspect(
    records: Mapping[str, Iterable[bytes]],
    *,
    limits: Limits,
    validated: Mapping[str, anomalies_pb2.Anomalies],
    earlier: DataRecord | None,
    kind: Kind = "instructions",
    tokens: TokenSurvey | None = None,
) -> Inspection:
    """Reads every row once.

    Args:
        records: serialized examples by split, `train` first.
        limits: from where on rows are unusual.
        validated: ExampleValidator's findings by split.
        earlier: the last accepted run's record; None if there is none.
        kind: of what the rows are.
        tokens: of the train rows; None if they were not counted.
    """
    contents: dict[str, checks.Content] = {}
    for split, of_split in records.items():
        train = contents[rules.TRAIN].survey if rules.TRAIN in contents else None
        contents[split] = checks.check_content(of_split, split=split, survey=Survey(limits, train), kind=kind)
    surveys = {split: content.survey for split, content in contents.items()}
    found = [anomaly for split, of_split in validated.items() for anomaly in checks.schema_anomalies(of_split, split)]
    found += [anomaly for content in contents.values() for anomaly in content.anomalies]
    found += rules.content_anomalies(surveys, limits, kind=kind)
    comparison = rules.compare(surveys, limits, earlier)
    found += comparison.anomalies
    if tokens and (dropped := tokens.anomaly()):
        found.append(dropped)
    return Inspection(contents, tuple(found), comparison.skew, comparison.drift, comparison.notes, tokens)


def _shares(survey: Survey) -> dict[str, float]:
    findings = {"overlong": survey.overlong, "duplicates": survey.repeated, "in_train": survey.in_train}
    return {name: finding.rows / survey.rows if survey.rows else 0.0 for name, finding in findings.items()}


def _recorded(anomaly: Anomaly) -> AllowedAnomaly:
    return AllowedAnomaly(name=anomaly.name, words=anomaly.words, examples=anomaly.examples)
