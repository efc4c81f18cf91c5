"""The Trainer's record: ``exports/training.json``, which is published with the model as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import ConfigDict

from modules.record import Record, RecordPart

Number = int | float  # as it was counted: 4 stays 4, and 4.0 stays 4.0


class RowCounts(RecordPart):
    """Counts of one split as training saw it; see :class:`modules.training.dataset.DatasetReport`."""

    rows_read: int
    rows_dropped: int
    rows_truncated: int | None = None
    rows_split: int | None = None
    rows: int | None = None
    packed_rows: int | None = None
    tokens: int | None = None
    supervised_tokens: int | None = None
    pad_fraction: Number | None = None


class Sample(RecordPart):
    """A prompt of the evaluation split and the exported model's response."""

    prompt: str
    response: str = ""
    expected: str | None = None


class ExactAnswers(RecordPart):
    """The number of prompts that were answered with exactly the expected text."""

    rows: int
    exact: int
    share: Number


class CodeVersion(RecordPart):
    """The code that trained; see :func:`modules.provenance.code_version`."""

    version: str | None = None
    modules_sha256: str | None = None
    git_commit: str | None = None


class Provenance(RecordPart):
    """The origin of the model; see :func:`modules.provenance.provenance`."""

    run_id: str | None = None
    code: CodeVersion = CodeVersion()
    rows_sha256: Mapping[str, str] = {}


class TrainingRecord(Record):
    """The Trainer's findings, in the order of the file. A field that an earlier version did not write is None or empty.

    Attributes:
        parameters: of the exported model.
        trainable_parameters: how many of them were trained, adapters included.
        attention: how it was computed, in words.
        steps: optimizer steps done.
        planned_steps: optimizer steps that there were to be.
        stop_reason: why there were fewer, to follow "because"; None if there were not.
        kept_step: the step that the weights come from.
        resumed_from: optimizer steps that came from a checkpoint; 0 if the run began anew.
        train_loss: in nats per response token, mean over the steps of the last epoch; so `train_token_accuracy`.
        eval_loss: of the weights that were kept, in nats per response token; so `eval_token_accuracy`.
        seconds: of training.
        supervised_tokens_per_second: response tokens, over all of `seconds`.
        evaluations: step, loss and token accuracy of each evaluation.
        data: by split.
        model: sizes of the model, by setting.
        training: the training's settings.
        kind: of what the rows are.
        tuned: settings that the Tuner chose.
        provenance: run, code and rows.
        samples: what the exported model answers to some evaluation prompts.
        exact_answers: None if none was asked for.
        sizes: bytes on disk of each exported form.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    FILE: ClassVar[str] = "training.json"
    IS_PUBLISHED: ClassVar[bool] = True

    parameters: int
    trainable_parameters: int | None = None
    attention: str | None = None
    steps: int
    planned_steps: int | None = None
    stop_reason: str | None = None
    kept_step: int | None = None
    resumed_from: int = 0
    train_loss: Number
    train_token_accuracy: Number | None = None
    eval_loss: Number
    eval_token_accuracy: Number
    seconds: Number
    supervised_tokens_per_second: Number
    evaluations: tuple[tuple[int, Number, Number], ...] = ()
    data: Mapping[str, RowCounts]
    model: Mapping[str, Any] = {}
    training: Mapping[str, Any] = {}
    kind: str | None = None
    tuned: Mapping[str, Any] = {}
    provenance: Provenance = Provenance()
    samples: tuple[Sample, ...] = ()
    exact_answers: ExactAnswers | None = None
    sizes: Mapping[str, int] = {}

    def content(self) -> dict[str, Any]:
        """Returns what was given, in the order of the fields."""
        return self.model_dump(exclude_unset=True)


class SampleRecord(Record):
    """The part of ``training.json`` that every exported model has, trained here or not: its answers and its sizes."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    FILE: ClassVar[str] = "training.json"
    IS_PUBLISHED: ClassVar[bool] = True

    samples: tuple[Sample, ...] = ()
    model: Mapping[str, Any] = {}
