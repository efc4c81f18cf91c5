"""Facts about a run: plain, frozen data, whatever it was read from.

A part that a run did not come to, or whose artifact is gone, is None or empty; `RunFacts.missing` says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from modules.training_record import TrainingRecord
from pipeline.components.hf_pusher.record import PublicationRecord
from pipeline.report.run_record import RunRecord

State = Literal["done", "cached", "failed", "interrupted", "killed", "running", "not reached"]
Outcome = Literal["published", "not published", "finished", "failed", "interrupted", "killed", "running"]


# Of a component, and with it of the run.
ENDS: tuple[Literal["failed", "interrupted", "killed", "running"], ...] = ("failed", "interrupted", "killed", "running")


@dataclass(frozen=True)
class NodeFacts:
    """One component in the run.

    Attributes:
        seconds: from its start to its end; None if it never ended, or nobody saw when.
        cached_from: run whose result was used.
    """

    node_id: str
    state: State
    started_ms: int | None = None
    seconds: float | None = None
    cached_from: str | None = None
    execution_id: int | None = None


@dataclass(frozen=True)
class FeatureFacts:
    """A text column of a split.

    Attributes:
        mean_length: characters, by StatisticsGen.
        lengths: characters and how many rows are up to that long and longer than the entry before; empty if not
            counted.
    """

    name: str
    rows: int
    missing: int
    blank: int
    unique: int
    mean_length: float
    longest: int | None = None
    lengths: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class SplitFacts:
    """The rows of one split."""

    name: str
    rows: int
    features: tuple[FeatureFacts, ...]


@dataclass(frozen=True)
class DataFacts:
    """Facts about the rows that were trained on.

    Attributes:
        preparation: address of the report of `data.prepare` beside the rows; None without one.
        content_hash: SHA-256 over the rows in any order; None if the gate did not count them.
        anomalies: ExampleValidator's, in words.
        findings: for which the data gate stopped the run, in words.
        allowed: what it found and was told to let through: names, words and rows.
        notes: what it did not look at.
        measured: what it measured, by name.
    """

    source: str | None = None
    preparation: str | None = None
    content_hash: str | None = None
    splits: tuple[SplitFacts, ...] = ()
    anomalies: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    allowed: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    notes: tuple[str, ...] = ()
    measured: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Curve:
    """A quantity over the optimizer's steps."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class TrainingFacts:
    """Facts about the training: the Trainer's record, None if it is gone, and its curves."""

    record: TrainingRecord | None = None
    loss: tuple[Curve, ...] = ()
    learning_rate: tuple[Curve, ...] = ()

    @property
    def kept(self) -> tuple[float, float] | None:
        """Returns step and evaluation loss of the weights that were kept; None if the record does not tell."""
        if self.record is None or self.record.kept_step is None:
            return None
        return float(self.record.kept_step), float(self.record.eval_loss)


@dataclass(frozen=True)
class ConditionFacts:
    """One threshold and what came of it.

    Attributes:
        rows: the slice it is about, such as ``with_input=yes``; empty for all rows.
        value: the candidate's figure.
        baseline: the last blessed model's, if the condition compares with it.
        passed: None if it was not applied: there was nothing to compare with.
    """

    metric: str
    rows: str
    demand: str
    value: float | None
    baseline: float | None
    passed: bool | None


@dataclass(frozen=True)
class SliceFacts:
    """The metrics of some rows; `rows` is empty for all."""

    rows: str
    candidate: Mapping[str, float]
    baseline: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class EvaluationFacts:
    """The Evaluator's verdict and what it rests on."""

    blessed: bool
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    baseline: str | None = None
    slices: tuple[SliceFacts, ...] = ()
    conditions: tuple[ConditionFacts, ...] = ()


@dataclass(frozen=True)
class AnswerFacts:
    """One question, and what was answered."""

    question: str
    expected: str | None
    answer: str
    baseline: str | None = None

    @property
    def exact(self) -> bool | None:
        """Returns whether the answer is the expected one, spaces around it aside."""
        return None if self.expected is None else self.answer.strip() == self.expected.strip()


@dataclass(frozen=True)
class QualityFacts:
    """Figures of generated answers by name, the candidate's and the last blessed model's, over `rows` questions.

    Attributes:
        form: exported form that gave the answers.
    """

    candidate: Mapping[str, float]
    baseline: Mapping[str, float] = field(default_factory=dict)
    conditions: tuple[ConditionFacts, ...] = ()
    rows: int = 0
    form: str = ""


@dataclass(frozen=True)
class ProofFacts:
    """The result of one exported form that was asked in a process of its own.

    Attributes:
        same_answers: requests that it answered exactly as the reference did.
        largest: the largest difference of a figure, in the tolerance's unit.
        arithmetic: the matrix library and the instructions that it ran on; None where it does not tell.
    """

    form: str
    requests: int
    disagreements: int
    tolerance: str
    same_answers: int | None = None
    largest: float | None = None
    error: str | None = None
    arithmetic: str | None = None


@dataclass(frozen=True)
class FileFacts:
    """A file, its path relative to what it belongs to."""

    path: str
    size: int
    sha256: str | None = None


@dataclass(frozen=True)
class ExportFacts:
    """One form of the model on disk."""

    name: str
    files: tuple[FileFacts, ...]

    @property
    def size(self) -> int:
        """Returns the bytes of all its files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class PublicationFacts:
    """Facts about the publication by HFPusher."""

    record: PublicationRecord

    @property
    def pushed(self) -> bool:
        """Returns whether the model is on the Hub."""
        return self.record.pushed

    @property
    def reason(self) -> str | None:
        """Returns why it is not; None if it is."""
        return self.record.not_pushed_reason

    @property
    def files(self) -> tuple[FileFacts, ...]:
        """Returns the published files, by path."""
        return tuple(FileFacts(path, file.size, file.sha256) for path, file in sorted(self.record.files.items()))


@dataclass(frozen=True)
class RunFacts:
    """Everything about one run.

    Attributes:
        edges: pairs of components, the second needing the first.
        recorded: what the run said of itself at its end; empty if it said nothing.
        settings: the configuration as the components received it, by field.
        setting_components: which component that was, by field.
        code: hashes of the code that made the results, by component.
        artifacts: (component, key, artifact id, uri).
        missing: what should be there to be read and is not.
    """

    pipeline_name: str
    run_id: str
    nodes: tuple[NodeFacts, ...]
    edges: tuple[tuple[str, str], ...] = ()
    recorded: RunRecord = field(default_factory=RunRecord)
    settings: Mapping[str, str] = field(default_factory=dict)
    setting_components: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    data: DataFacts | None = None
    training: TrainingFacts | None = None
    evaluation: EvaluationFacts | None = None
    quality: QualityFacts | None = None
    answers: tuple[AnswerFacts, ...] = ()
    proof: tuple[ProofFacts, ...] = ()
    exports: tuple[ExportFacts, ...] = ()
    publication: PublicationFacts | None = None
    artifacts: tuple[tuple[str, str, int, str], ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def started(self) -> datetime | None:
        """Returns when the first component started, in UTC."""
        times = [node.started_ms for node in self.nodes if node.started_ms is not None]
        return datetime.fromtimestamp(min(times) / 1000, UTC) if times else None

    @property
    def seconds(self) -> float:
        """Returns the seconds from the first component's start to the last one's end."""
        spans = [(node.started_ms, node.seconds) for node in self.nodes]
        known = [(start, seconds) for start, seconds in spans if start is not None and seconds is not None]
        if not known:
            return 0.0
        return max(start / 1000 + seconds for start, seconds in known) - min(start for start, _ in known) / 1000

    @property
    def total_seconds(self) -> float:
        """Returns how long the run took from the command to its end, or else its components."""
        return self.seconds if self.recorded.seconds is None else self.recorded.seconds

    @property
    def failure(self) -> str | None:
        """Returns the message that the user saw when the run failed or was interrupted."""
        return self.recorded.failure

    @property
    def outcome(self) -> Outcome:
        """Returns in one word what came of the run."""
        if self.recorded.interrupted:
            return "interrupted"
        if self.failure:
            return "failed"
        for end in ENDS:
            if any(node.state == end for node in self.nodes):
                return end
        if self.publication is None:
            return "finished"
        return "published" if self.publication.pushed else "not published"

    @property
    def is_incomplete(self) -> bool:
        """Returns whether it has not come to its end, or not yet."""
        return self.outcome in ENDS

    @property
    def finished(self) -> set[str]:
        """Ids of the components that ended well."""
        return {node.node_id for node in self.nodes if node.state in ("done", "cached")}

    @property
    def overall(self) -> SliceFacts | None:
        """Returns the metrics over all rows."""
        slices = self.evaluation.slices if self.evaluation else ()
        return next((row for row in slices if not row.rows), None)
