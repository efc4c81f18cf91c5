"""What a model card may say; everything but the model's own two files is optional."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from data.origin import Origin
from pipeline.components.hf_pusher.plan import DEFAULT_EXPORTS

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

PUBLIC_HUB = "https://huggingface.co"
# The embedded server: its port may change from run to run, so the card does not name its address.
LOCAL_HUB = "local"

# The Hub's name of each metric's type; one that is not here has its own name. Counts are in no `model-index`.
METRIC_TYPES = {"token_accuracy": "accuracy", "eval_token_accuracy": "accuracy", "eval_loss": "loss"}
COUNTS = frozenset({"rows", "scored_rows", "tokens"})
_DIGITS = 6  # of a metric: the last ones depend on the order in which rows were added up


@dataclass(frozen=True)
class SliceMetrics:
    """What the Evaluator measured on some rows of the evaluation split."""

    rows: Mapping[str, str]  # column -> value that they have in common; empty: all rows
    metrics: Mapping[str, float]

    @property
    def title(self) -> str:
        return ", ".join(f"{column}={value}" for column, value in self.rows.items()) or "all"


@dataclass(frozen=True)
class SplitStatistics:
    """What StatisticsGen counted in a split."""

    name: str
    rows: int
    mean_bytes: Mapping[str, float]  # of each text column


@dataclass(frozen=True)
class Findings:
    """What the components before the publication found."""

    slices: tuple[SliceMetrics, ...] = ()  # all rows first
    statistics: tuple[SplitStatistics, ...] = ()
    allowed_anomalies: tuple[str, ...] = ()  # of the data, in the validator's words
    origin: Origin = field(default_factory=Origin)  # of the data: licence, data sets, sources


@dataclass(frozen=True)
class CardFacts:
    """What the card may say: `training.json` and `prompt.json` of the model, and what the run was told and found."""

    training: Mapping[str, Any]
    prompt: Mapping[str, Any]
    license: str | None = None  # the Hub's identifier, such as "apache-2.0"; None: the data's
    endpoint: str = PUBLIC_HUB  # address, or "local"
    space_repo_id: str | None = None
    exports: tuple[str, ...] = DEFAULT_EXPORTS
    datasets: tuple[str, ...] = ()  # the Hub's names of what the model was trained on; none: the data's
    found: Findings = field(default_factory=Findings)

    @property
    def claimed_license(self) -> str | None:
        """The licence that was told, or else the data's; None if neither is known."""
        return self.license or self.found.origin.license

    @property
    def named_datasets(self) -> tuple[str, ...]:
        """The data sets that were told, or else those that the data name."""
        return self.datasets or self.found.origin.datasets


def read_statistics(splits: Mapping[str, bytes]) -> tuple[SplitStatistics, ...]:
    """Rows and mean lengths of each split, from StatisticsGen's serialized `DatasetFeatureStatisticsList`."""
    return tuple(
        _split_statistics(name, splits[name]) for name in sorted(splits, key=lambda name: (name != "train", name))
    )


def eval_results(facts: CardFacts) -> list[EvalResult]:
    """The measurements in the Hub's format: the Evaluator's by slice, or else the Trainer's."""
    training = facts.training
    found = [
        _result(name, value, row.title if row.rows else None)
        for row in facts.found.slices
        for name, value in row.metrics.items()
        if name not in COUNTS
    ]
    if not found:
        found = [
            _result(name, training[name], None) for name in ("eval_loss", "eval_token_accuracy") if name in training
        ]
    exact = training.get("exact_answers")
    if exact:
        found.append(_result("exact_match", exact["share"], None))
    return found


def _result(name: str, value: float, rows: str | None) -> EvalResult:
    from huggingface_hub import EvalResult

    return EvalResult(
        task_type="text-generation",
        dataset_type="instructions",
        dataset_name="evaluation split",
        dataset_split="eval",
        dataset_config=rows,
        metric_type=METRIC_TYPES.get(name, name),
        metric_name=name.removeprefix("eval_").replace("_", " "),
        metric_value=value,
    )


def rounded(metrics: Mapping[str, float]) -> dict[str, float]:
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
