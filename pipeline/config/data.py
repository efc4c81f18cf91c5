"""The configuration's group about the instruction rows."""

from __future__ import annotations

from pydantic import BaseModel, Field

from pipeline.config.types import FROZEN, Text


class DataConfig(BaseModel):
    """The instruction rows."""

    model_config = FROZEN

    path: Text = "data/sample/tfrecords"
    """Folder with the TFRecord files."""

    train_pattern: Text = "*-train*.tfrecord*"
    """Glob inside data.path for the training split; `{SPAN}`, or `{YYYY}`, `{MM}` and `{DD}`, stand for the newest
    one there, `{VERSION}` for its newest version."""

    eval_pattern: Text = "*-eval*.tfrecord*"
    """Glob inside data.path for the evaluation split, with the same `{...}` as the training split's."""

    # The bare name would shadow a method of pydantic's; everywhere outside this class it is `schema`.
    schema_: Text = Field(default="pipeline/schema/alpaca.pbtxt", alias="schema")
    """Curated schema (a .pbtxt file) that the rows must satisfy, or `infer` to derive one from the rows
    themselves."""
