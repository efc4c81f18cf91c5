"""Facts that a model card may state; everything but the model's own two files is optional."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from publishing.card.family import ANY_FAMILY, FamilyFacts
from publishing.exports import DEFAULT_EXPORTS, Export, known_exports

PUBLIC_HUB = "https://huggingface.co"
# The embedded server: its port may change from run to run, so the card does not name its address.
LOCAL_HUB = "local"
# Metrics that are counts: whole numbers, and in no `model-index`.
COUNTS = frozenset({"rows", "scored_rows", "tokens"})


@dataclass(frozen=True)
class SliceMetrics:
    """The Evaluator's measurements on some rows of the evaluation split."""

    rows: Mapping[str, str]  # column -> value that they have in common; empty: all rows
    metrics: Mapping[str, float]

    @property
    def title(self) -> str:
        """Returns the rows' name in a table."""
        return ", ".join(f"{column}={value}" for column, value in self.rows.items()) or "all"


@dataclass(frozen=True)
class SplitStatistics:
    """StatisticsGen's counts of a split."""

    name: str
    rows: int
    mean_bytes: Mapping[str, float]  # of each text column


@dataclass(frozen=True)
class DataOrigin:
    """Origin and licence of the training data."""

    license: str | None = None  # the Hub's identifier; None if it is not known
    datasets: tuple[str, ...] = ()  # the Hub's names of the data sets
    sources: tuple[str, ...] = ()  # addresses or names of the files that the rows were made from


@dataclass(frozen=True)
class Findings:
    """Findings of the components before the publication."""

    slices: tuple[SliceMetrics, ...] = ()  # all rows first
    statistics: tuple[SplitStatistics, ...] = ()
    allowed_anomalies: tuple[str, ...] = ()  # of the data, in the validator's words
    origin: DataOrigin = DataOrigin()


@dataclass(frozen=True)
class CardFacts:
    """The facts of one card: `training.json` and `prompt.json` of the model, and what the run was told and found."""

    training: Mapping[str, Any]
    prompt: Mapping[str, Any]
    license: str | None = None  # the Hub's identifier, such as "apache-2.0"; None: the data's
    endpoint: str = PUBLIC_HUB  # address, or "local"
    space_repo_id: str | None = None
    exports: tuple[str, ...] = DEFAULT_EXPORTS
    own_exports: tuple[Export, ...] = ()  # that the library does not know by name
    family: FamilyFacts = ANY_FAMILY
    datasets: tuple[str, ...] = ()  # the Hub's names of what the model was trained on; none: the data's
    found: Findings = field(default_factory=Findings)

    @property
    def kind(self) -> str:
        """Returns what the model was trained on: `instructions`, or raw `text`."""
        return str(self.prompt.get("kind", "instructions"))

    @property
    def described_exports(self) -> list[Export]:
        """Returns what is published, in the order of the registry."""
        return [export for name, export in known_exports(self.own_exports).items() if name in self.exports]

    @property
    def claimed_license(self) -> str | None:
        """Returns the licence that was told, or else the data's; None if neither is known."""
        return self.license or self.found.origin.license

    @property
    def named_datasets(self) -> tuple[str, ...]:
        """Returns the data sets that were told, or else those that the data name."""
        return self.datasets or self.found.origin.datasets

    def figure(self, path: str) -> Any:
        """Returns the value at a dotted path of `training.json`; None where there is none."""
        value: Any = self.training
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        return value
