"""What was trained on: StatisticsGen, ExampleValidator, DataGate, and the rows themselves."""

from __future__ import annotations

import bisect
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from data.records import Damage, read_records
from data.tfrecords import FIELDS, Row, decode
from pipeline.report import wording
from pipeline.report.facts import DataFacts, FeatureFacts, SplitFacts
from pipeline.report.reading.files import RunFiles
from pipeline.report.store import StoredRun

# 50,000 Alpaca rows, 8 MiB gzipped, take about a second; a report must not hold up a run.
LARGEST_READ_BYTES = 16 * 2**20
LENGTH_BOUNDS = (0, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)  # characters; the last bar is longer
DIGEST_BYTES = 32
SHARES = {
    "overlong": "longer than allowed",
    "duplicates": "repeated",
    "in_train": "asked in training, too",
    "dropped": "longer than training.sequence_length",
}
DISTANCES = {"skew": "distance of evaluation from train rows", "drift": "distance from the last accepted rows"}


@dataclass
class SplitRows:
    """What reading the rows of a split gave."""

    lengths: dict[str, Counter[int]] = field(default_factory=lambda: {name: Counter() for name in FIELDS})
    longest: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FIELDS, 0))
    blank: Counter[str] = field(default_factory=Counter)
    digest_sum: int = 0

    def add(self, record: bytes) -> None:
        """Counts one row."""
        self.digest_sum += int.from_bytes(hashlib.sha256(record).digest(), "big")
        row = decode(record)
        if not isinstance(row, Row):
            return
        for name, text in zip(FIELDS, row, strict=True):
            blank = not text.strip()
            self.lengths[name][0 if blank else bisect.bisect_left(LENGTH_BOUNDS, len(text))] += 1
            self.longest[name] = max(self.longest[name], len(text))
            self.blank[name] += blank


def read_data(files: RunFiles) -> DataFacts | None:
    """The facts, as far as the run came; None if it did not read its rows."""
    importer = files.run.node("ImportExampleGen")
    if importer is None:
        return None
    rows = dict(_rows(files))
    gate = files.json_of("DataGate", "blessing", "report.json")
    return DataFacts(
        source=importer.properties.get("input_base"),
        content_hash=_content_hash(rows) if rows else None,
        splits=tuple(_splits(files, rows)),
        anomalies=tuple(_anomalies(files)),
        findings=tuple(_findings(files.run)),
        allowed=tuple((each["name"], each["words"], tuple(each["examples"])) for each in gate.get("allowed") or ()),
        notes=tuple(gate.get("notes") or ()),
        measured=dict(_measured(gate)),
    )


def _findings(run: StoredRun) -> Iterator[str]:
    """The gate's message, if it stopped the run."""
    node, failure = run.node("DataGate"), run.record.get("failure")
    if node is not None and node.state == "FAILED" and failure:
        yield failure


def _measured(gate: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Shares of rows by split, and distances between the splits and from the run before."""
    for split, shares in (gate.get("shares") or {}).items():
        for name, share in shares.items():
            if (split, name) != ("train", "in_train"):
                yield f"{split} rows: {SHARES.get(name, name)}", share
    for name, words in DISTANCES.items():
        yield from ((f"{words}: {of.replace('_', ' ')}", value) for of, value in (gate.get(name) or {}).items())


def _rows(files: RunFiles) -> Iterator[tuple[str, SplitRows]]:
    folder = files.folder("ImportExampleGen", "examples")
    if folder is None:
        return
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > LARGEST_READ_BYTES:
        files.note(
            f"The rows ({wording.size(size)}) were not read again for this report: no lengths, no hash of the data."
        )
        return
    for split in sorted(folder.glob("Split-*")):
        counted = SplitRows()
        for path in sorted(split.iterdir()):
            for record in read_records(path):
                if isinstance(record, Damage):
                    files.note(f"{path} is damaged: {record.reason}.")
                else:
                    counted.add(record)
        yield split.name.removeprefix("Split-"), counted


def _content_hash(rows: dict[str, SplitRows]) -> str:
    """The same for the same rows in whatever order and files: a hash of the sum of the rows' hashes, by split."""
    digest = hashlib.sha256()
    for split, counted in sorted(rows.items()):
        total = (counted.digest_sum % 2 ** (8 * DIGEST_BYTES)).to_bytes(DIGEST_BYTES, "big")
        digest.update(split.encode() + b"\0" + total)
    return digest.hexdigest()


def _splits(files: RunFiles, rows: dict[str, SplitRows]) -> Iterator[SplitFacts]:
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
        features = [_feature(each, rows.get(split)) for each in statistics.features if each.HasField("string_stats")]
        in_order = sorted(
            features, key=lambda each: (FIELDS.index(each.name) if each.name in FIELDS else 99, each.name)
        )
        yield SplitFacts(split, int(statistics.num_examples), tuple(in_order))


def _feature(statistics: Any, rows: SplitRows | None) -> FeatureFacts:
    text, common = statistics.string_stats, statistics.string_stats.common_stats
    name = statistics.name or "/".join(statistics.path.step)
    blank = sum(bucket.sample_count for bucket in text.rank_histogram.buckets if not bucket.label.strip())
    counted = rows if rows and name in FIELDS else None
    return FeatureFacts(
        name=name,
        rows=int(common.num_non_missing),
        missing=int(common.num_missing),
        blank=counted.blank[name] if counted else int(blank),
        unique=int(text.unique),
        mean_length=float(text.avg_length),
        longest=counted.longest[name] if counted else None,
        lengths=_histogram(counted.lengths[name]) if counted else (),
    )


def _histogram(counts: Counter[int]) -> tuple[tuple[int, int], ...]:
    """Upper bound and rows of each bar; the bound after the last stands for "longer"."""
    bounds = (*LENGTH_BOUNDS, LENGTH_BOUNDS[-1] * 2)
    return tuple((bound, counts[index]) for index, bound in enumerate(bounds))


def _anomalies(files: RunFiles) -> Iterator[str]:
    folder = files.folder("ExampleValidator", "anomalies")
    if folder is None:
        return
    from tensorflow_metadata.proto.v0.anomalies_pb2 import Anomalies

    for path in sorted(Path(folder).glob("Split-*/SchemaDiff.pb")):
        split = path.parent.name.removeprefix("Split-")
        for feature, info in sorted(Anomalies.FromString(path.read_bytes()).anomaly_info.items()):
            yield f"{feature} ({split}): {info.short_description}. {info.description}"
