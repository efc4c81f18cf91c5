"""What the components before the publication found, from their records, as facts for the card."""

from __future__ import annotations

from pathlib import Path

from tfx import types
from tfx.types import artifact_utils

from data.origin import Origin
from pipeline.components.data_gate.record import DataRecord
from pipeline.components.evaluator.record import EvaluationRecord
from pipeline.components.hf_pusher.card_facts import Findings, SliceMetrics, read_statistics, rounded

STATISTICS_FILE = "FeatureStats.pb"  # StatisticsGen's, in each split's folder

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
        origin=(gate.dataset if gate else None) or Origin(),
    )


def read_slices(evaluation: Path) -> tuple[SliceMetrics, ...]:
    """Returns the metrics by slice that this project's Evaluator left; none without its record.

    Comparisons with other models are left out: they say nothing of this one, and would make another card of it.
    """
    record = EvaluationRecord.find(evaluation)
    return tuple(SliceMetrics(row.slice, rounded(row.candidate)) for row in record.slices) if record else ()


def allowed_anomalies(record: DataRecord) -> tuple[str, ...]:
    """Returns what a data gate found and let pass, in words."""
    return tuple(sorted(str(anomaly) for anomaly in record.allowed))


def _folder(input_dict: Artifacts, key: str) -> Path | None:
    return Path(artifact_utils.get_single_uri(input_dict[key])) if input_dict.get(key) else None


def _statistics(input_dict: Artifacts) -> dict[str, bytes]:
    """Returns StatisticsGen's serialized statistics, by split."""
    return {
        split: (Path(artifact_utils.get_split_uri([artifact], split)) / STATISTICS_FILE).read_bytes()
        for artifact in input_dict.get("statistics") or []
        for split in artifact_utils.decode_split_names(artifact.split_names)
    }
