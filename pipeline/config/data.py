"""The configuration's group about the rows."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from modules.prompts import AUTO, RowKind
from modules.settings.rows import PromptFormatName
from modules.settings.types import FROZEN, Text, Words
from pipeline.components.data_gate.anomalies import check_names


def _anomaly_names(names: tuple[str, ...]) -> tuple[str, ...]:
    check_names(names)
    return names


AnomalyNames = Annotated[Words, AfterValidator(_anomaly_names)]
Share = Annotated[float, Field(ge=0, le=1)]


class DataConfig(BaseModel):
    """The rows to learn from."""

    model_config = FROZEN

    path: Text = "data/sample/tfrecords"
    """Folder with the TFRecord files."""

    kind: RowKind = "instructions"
    """What the rows are: `instructions` to answer, or documents of raw `text` to pre-train on, all of which is learnt;
    documents longer than a training row are cut into several."""

    prompt_format: PromptFormatName = AUTO
    """How a row becomes a prompt: `auto` (alpaca for instructions, document for text), alpaca, document, or
    package.module:OBJECT for a format of your own."""

    train_pattern: Text = "*-train*.tfrecord*"
    """Glob inside data.path for the training split; `{SPAN}`, or `{YYYY}`, `{MM}` and `{DD}`, stand for the newest
    one there, `{VERSION}` for its newest version."""

    eval_pattern: Text = "*-eval*.tfrecord*"
    """Glob inside data.path for the evaluation split, with the same `{...}` as the training split's."""

    # The bare name would shadow a method of pydantic's; everywhere outside this class it is `schema`.
    schema_: Text = Field(default="pipeline/schema/alpaca.pbtxt", alias="schema")
    """Curated schema (a .pbtxt file) that the rows must satisfy, or `infer` to derive one from the rows
    themselves."""

    allow_anomalies: AnomalyNames = ()
    """Findings of the data gate that do not stop the run, and that the model card tells: schema, blank, length,
    duplicates, eval_in_train, skew, drift, dropped; `none` for none."""

    max_prompt_characters: int = Field(default=10_000, ge=1)
    """Characters of instruction and input together above which a row counts as overlong, at least 1. 10000 are about
    2,500 tokens, more than twice GPT-2's context."""

    max_response_characters: int = Field(default=10_000, ge=1)
    """Characters of the output above which a row counts as overlong, at least 1."""

    max_overlong: Share = 0.01
    """Share of a split's rows that may be overlong, 0 to 1."""

    max_duplicates: Share = 0.05
    """Share of the training rows that may repeat an earlier one but for case and white space, 0 to 1."""

    max_eval_in_train: Share = 0.01
    """Share of the evaluation rows whose instruction and input may be in the training split, 0 to 1."""

    max_skew: Share = 0.1
    """How far the evaluation rows may be from the training rows, 0 to 1: the Jensen-Shannon divergence of their lengths
    in characters, and the difference of the shares with an input."""

    max_drift: Share = 0.1
    """How far the training rows may be from those of the last accepted run on the same data.path, 0 to 1; measured as
    max_skew."""

    max_dropped: Share = 0.1
    """Share of the training rows that may be dropped as longer than training.sequence_length, 0 to 1."""
