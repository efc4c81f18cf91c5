"""Schemas of records: which columns hold instruction, input and output. Pure functions.

| schema | columns |
| --- | --- |
| alpaca | instruction, output; input |
| dolly | instruction, response; context |
| prompt-completion | prompt, completion; or prompt, response |
| question-answer | question, answer; context |
| messages | messages, or ShareGPT's conversations: a list of turns |
| text | text |
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from data.conversations import Turns, rows_of
from data.errors import SourceError
from data.tfrecords import FIELDS, Kind, Row

TEXT = "text"
_SHOWN_CHARACTERS = 80


class Unusable(NamedTuple):
    """A reason for which a readable record gives no row."""

    reason: str
    detail: str = ""


class NotThisSchema(ValueError):  # noqa: N818 - a finding about one record
    """A record that lacks a column of its source's schema, or has another type there."""


@dataclass(frozen=True)
class Schema:
    """A schema: its name, the column of each field, and the kind of the rows.

    Attributes:
        name: as messages and the report call it.
        columns: column by field: instruction, input and output, or text, or messages.
        optional: fields that a record may lack, or have null in.
    """

    name: str
    columns: Mapping[str, str]
    optional: Collection[str] = ()

    @property
    def kind(self) -> Kind:
        """Returns the kind of the rows, as `data.kind` of the pipeline calls it."""
        return "text" if TEXT in self.columns else "instructions"

    def described(self) -> str:
        """Returns name and columns, for a screen."""
        return f"{self.name} ({', '.join(f'{field} from {column}' for field, column in self.columns.items())})"


SCHEMAS = (
    Schema("messages", {"messages": "messages"}),
    Schema("messages", {"messages": "conversations"}),
    Schema("alpaca", {"instruction": "instruction", "input": "input", "output": "output"}, ("input",)),
    Schema("dolly", {"instruction": "instruction", "input": "context", "output": "response"}, ("input",)),
    Schema("prompt-completion", {"instruction": "prompt", "output": "completion"}),
    Schema("prompt-completion", {"instruction": "prompt", "output": "response"}),
    Schema("question-answer", {"instruction": "question", "input": "context", "output": "answer"}, ("input",)),
    Schema("text", {"text": "text"}),
)
_NAMES = ", ".join(dict.fromkeys(schema.name for schema in SCHEMAS))


def schema_of(columns: Collection[str], wanted: Mapping[str, str], source: str) -> Schema:
    """Returns the schema of a source.

    Args:
        columns: those that its first records have.
        wanted: column by field, as the user says; empty to recognise one.
        source: named in errors.

    Raises:
        SourceError: If none fits, naming the columns that are there.
    """
    if wanted:
        return _wanted(columns, wanted, source)
    for schema in SCHEMAS:
        if {column for field, column in schema.columns.items() if field not in schema.optional} <= set(columns):
            present = {field: column for field, column in schema.columns.items() if column in columns}
            return Schema(schema.name, present, schema.optional)
    raise SourceError(
        f"{source}: the columns must be of a known schema ({_NAMES}). Received: {_listed(columns)}. "
        "Say what holds the texts: --columns instruction=COLUMN,output=COLUMN, or --columns text=COLUMN."
    )


def parse_columns(text: str) -> dict[str, str]:
    """Returns column by field, of `instruction=question,output=reply`.

    Raises:
        ValueError: If it is written otherwise, or names no field.
    """
    pairs = [pair.partition("=") for pair in text.split(",")]
    wanted = {field.strip(): column.strip() for field, _, column in pairs}
    if not all(wanted.values()) or set(wanted) not in _COMPLETE:
        raise ValueError(
            "--columns must name instruction and output, input too or not; or text; or messages. "
            f"Received: {text!r}. Write instruction=COLUMN,output=COLUMN."
        )
    return wanted


_COMPLETE: tuple[set[str], ...] = ({"instruction", "output"}, set(FIELDS), {TEXT}, {"messages"})


def convert(fields: Mapping[str, Any], schema: Schema, turns: Turns) -> list[Row] | Unusable:
    """Returns the rows that a record holds: one, or of a conversation as many as `turns` says.

    Raises:
        NotThisSchema: If a column is missing or of another type.
    """
    if "messages" in schema.columns:
        found = rows_of(_value(fields, schema.columns["messages"]), turns)
        return Unusable(*found) if isinstance(found, tuple) else found
    if TEXT in schema.columns:
        return [Row("", "", _text(fields, TEXT, schema))]
    return [Row(*(_text(fields, name, schema) if name in schema.columns else "" for name in FIELDS))]


def _wanted(columns: Collection[str], wanted: Mapping[str, str], source: str) -> Schema:
    if missing := [column for column in wanted.values() if column not in columns]:
        raise SourceError(
            f"{source}: --columns must name columns that are there. Received: {', '.join(missing)}, beside "
            f"{_listed(columns)}. Correct the name."
        )
    return Schema("columns", dict(wanted), ("input",))


def _text(fields: Mapping[str, Any], name: str, schema: Schema) -> str:
    column = schema.columns[name]
    if fields.get(column) is None and name in schema.optional:
        return ""
    value = _value(fields, column)
    if not isinstance(value, str):
        shown = f"{value!r:.{_SHOWN_CHARACTERS}}"
        raise NotThisSchema(f"Column {column!r} must be a text. Received: {type(value).__name__} {shown}.")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        found = ascii(value[error.start])
        raise NotThisSchema(f"Column {column!r} must be UTF-8. Received: {found}, half a character.") from error
    return value


def _value(fields: Mapping[str, Any], column: str) -> Any:
    if column not in fields:
        raise NotThisSchema(f"Column {column!r} is missing. Received: {_listed(fields)}.")
    return fields[column]


def _listed(columns: Collection[str]) -> str:
    return f"the columns {', '.join(sorted(map(str, columns)))}" if columns else "no columns"
