"""Reads the records of the components before the publication, as facts for the card."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from tfx import types
from tfx.types import artifact_utils

from pipeline.components.data_gate.record import DataRecord
from pipeline.components.evaluator.record import EvaluationRecord
from publishing.card.facts import COUNTS, DataOrigin, Findings, SliceMetrics, SplitStatistics

STATISTICS_FILE = "FeatureStats.pb"  # StatisticsGen's, in each split's folder
_DIGITS = 6  # of a metric: the last ones depend on the order in which rows were added up

Artifacts = dict[str, list[types.Artifact]]


def read_findings(input_dict: Artifacts) -> Findings:
    """Returns what the other components left, as far as it is there.

    Args:
        input_dict: HFPusher's, with `evaluation`, `statistics` and `data_blessing` where given.
    """
    evaluation, blessing = (_folder(input_dict, key) for key in ("evaluation", "data_blessing"))
    gate = DataRecord.find(blessing) if blessing else None
    return Findings(
        slices=read_slices(evaluation) if evaluation else (),
        statistics=read_statistics(_statistics(input_dict)),
        allowed_anomalies=allowed_anomalies(gate) if gate else (),
        origin=data_origin(gate) if gate else DataOrigin(),
    )


def read_slices(evaluation: Path) -> tuple[SliceMetrics, ...]:
    """Returns the metrics by slice that this project's Evaluator left; none without its record.

    Comparisons with other models are left out: they say nothing of this one, and would make another card of it.
    """
    record = EvaluationRecord.find(evaluation)
    return tuple(SliceMetrics(row.slice, _rounded(row.candidate)) for row in record.slices) if record else ()


def allowed_anomalies(record: DataRecord) -> tuple[str, ...]:
    """Returns what a data gate found and let pass, in words."""
    return tuple(sorted(str(anomaly) for anomaly in record.allowed))


def read_statistics(splits: Mapping[str, bytes]) -> tuple[SplitStatistics, ...]:
    """Returns rows and mean lengths of each split, from StatisticsGen's serialized `DatasetFeatureStatisticsList`."""
    return tuple(
        _split_statistics(name, splits[name]) for name in sorted(splits, key=lambda name: (name != "train", name))
    )


def data_origin(record: DataRecord) -> DataOrigin:
    """Returns where the data come from, as a data gate recorded it."""
    origin = record.dataset
    return DataOrigin(origin.license, origin.datasets, origin.sources) if origin else DataOrigin()


def _folder(input_dict: Artifacts, key: str) -> Path | None:
    return Path(artifact_utils.get_single_uri(input_dict[key])) if input_dict.get(key) else None


def _statistics(input_dict: Artifacts) -> dict[str, bytes]:
    """Returns StatisticsGen's serialized statistics, by split."""
    return {
        split: (Path(artifact_utils.get_split_uri([artifact], split)) / STATISTICS_FILE).read_bytes()
        for artifact in input_dict.get("statistics") or []
        for split in artifact_utils.decode_split_names(artifact.split_names)
    }


def _rounded(metrics: Mapping[str, float]) -> dict[str, float]:
    """Returns counts as whole numbers, the others to a few digits; without those that have no value."""
    return {
        name: int(value) if name in COUNTS else float(f"{value:.{_DIGITS}g}")
        for name, value in metrics.items()
        if isinstance(value, (int, float)) and math.isfinite(value)
    }


def _split_statistics(name: str, serialized: bytes) -> SplitStatistics:
    from tensorflow_metadata.proto.v0 import statistics_pb2

    (dataset,) = statistics_pb2.DatasetFeatureStatisticsList.FromString(serialized).datasets
    features = {feature.name or ".".join(feature.path.step): feature for feature in dataset.features}
    texts = {column: feature for column, feature in features.items() if feature.HasField("string_stats")}
    means = {column: texts[column].string_stats.avg_length for column in sorted(texts)}
    return SplitStatistics(name, int(dataset.num_examples), means)
