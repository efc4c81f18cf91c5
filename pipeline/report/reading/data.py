"""Reads the facts about the data: StatisticsGen, ExampleValidator, DataGate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from data.prepare.page import PAGE
from data.tfrecords import FIELDS
from pipeline.components.data_gate.record import DataRecord, TextColumn
from pipeline.layout import executor_folder
from pipeline.report.facts import DataFacts, FeatureFacts, SplitFacts
from pipeline.report.reading.files import RunFiles
from pipeline.report.store import StoredRun

SHARES = {
    "overlong": "longer than allowed",
    "duplicates": "repeated",
    "in_train": "asked in training, too",
    "dropped": "longer than training.sequence_length",
}
SKEW, DRIFT = "distance of evaluation from train rows", "distance from the last accepted rows"
Columns = Mapping[str, TextColumn]


def read_data(files: RunFiles) -> DataFacts | None:
    """Returns the facts, as far as the run came; None if it did not read its rows."""
    importer = files.run.node("ImportExampleGen")
    if importer is None:
        return None
    gate = read_gate(files)
    return DataFacts(
        source=importer.properties.get("input_base"),
        preparation=_preparation(str(importer.properties.get("input_base"))),
        content_hash=gate.content_hash if gate else None,
        splits=tuple(_splits(files, gate.texts if gate else {})),
        anomalies=tuple(_anomalies(files)),
        findings=tuple(_findings(files.run)),
        allowed=tuple((each.name, each.words, each.examples) for each in gate.allowed) if gate else (),
        notes=gate.notes if gate else (),
        measured=dict(_measured(gate)) if gate else {},
    )


def _preparation(source: str) -> str | None:
    """Returns the address of the page that `data.prepare` left beside the rows; None without one."""
    page = Path(source) / PAGE
    return page.absolute().as_uri() if page.is_file() else None


def read_gate(files: RunFiles) -> DataRecord | None:
    """Returns DataGate's record, also of rows that it refused; None if the run did not come to it."""
    node = files.run.node("DataGate")
    if node is None or node.state != "FAILED":
        return files.record(DataRecord, "DataGate", "blessing")
    refused = executor_folder(files.run.pipeline_root, "DataGate", node.execution_id)
    return files.record_in(refused, DataRecord) if Path(DataRecord.path(refused)).is_file() else None


def _findings(run: StoredRun) -> Iterator[str]:
    """Yields the gate's message, if it stopped the run."""
    node, failure = run.node("DataGate"), run.record.failure if run.record else None
    if node is not None and node.state == "FAILED" and failure:
        yield failure


def _measured(gate: DataRecord) -> Iterator[tuple[str, float]]:
    """Yields shares of rows by split, and distances between the splits and from the run before."""
    for split, shares in gate.shares.items():
        for name, share in shares.items():
            if (split, name) != ("train", "in_train"):
                yield f"{split} rows: {SHARES.get(name, name)}", share
    for words, distances in ((SKEW, gate.skew), (DRIFT, gate.drift)):
        yield from ((f"{words}: {of.replace('_', ' ')}", value) for of, value in (distances or {}).items())


def _splits(files: RunFiles, texts: Mapping[str, Columns]) -> Iterator[SplitFacts]:
    folder = files.folder("StatisticsGen", "statistics")
    if folder is None:
        return
    from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

    for path in sorted(folder.glob("Split-*/FeatureStats.pb"), reverse=True):
        split = path.parent.name.removeprefix("Split-")
        try:
            statistics = DatasetFeatureStatisticsList.FromString(path.read_bytes()).datasets[0]
        except (DecodeError, IndexError, OSError) as error:
            files.note(f"{path} holds no statistics: {error}.")
            continue
        columns = texts.get(split, {})
        features = [_feature(each, columns) for each in statistics.features if each.HasField("string_stats")]
        yield SplitFacts(split, int(statistics.num_examples), tuple(sorted(features, key=_column_order)))


def _column_order(feature: FeatureFacts) -> tuple[int, str]:
    """Returns a key that sorts the columns of a row as a row has them, others behind."""
    return FIELDS.index(feature.name) if feature.name in FIELDS else len(FIELDS), feature.name


def _feature(statistics: Any, columns: Columns) -> FeatureFacts:
    text, common = statistics.string_stats, statistics.string_stats.common_stats
    name = statistics.name or "/".join(statistics.path.step)
    blank = sum(bucket.sample_count for bucket in text.rank_histogram.buckets if not bucket.label.strip())
    counted = columns.get(name)
    return FeatureFacts(
        name=name,
        rows=int(common.num_non_missing),
        missing=int(common.num_missing),
        blank=counted.blank if counted else int(blank),
        unique=int(text.unique),
        mean_length=float(text.avg_length),
        longest=counted.longest if counted else None,
        lengths=counted.lengths if counted else (),
    )


def _anomalies(files: RunFiles) -> Iterator[str]:
    folder = files.folder("ExampleValidator", "anomalies")
    if folder is None:
        return
    from tensorflow_metadata.proto.v0.anomalies_pb2 import Anomalies

    for path in sorted(folder.glob("Split-*/SchemaDiff.pb")):
        split = path.parent.name.removeprefix("Split-")
        for feature, info in sorted(Anomalies.FromString(path.read_bytes()).anomaly_info.items()):
            yield f"{feature} ({split}): {info.short_description}. {info.description}"
