"""Schemas: which columns are known, what is told of others, and what conversations become."""

from __future__ import annotations

from typing import Any

import pytest

from data.conversations import rows_of
from data.errors import SourceError
from data.schemas import NotThisSchema, Unusable, convert, parse_columns, schema_of
from data.tfrecords import Row

ASKED = {"role": "user", "content": "Hello?"}
ANSWERED = {"role": "assistant", "content": "Hi."}


def rows(record: dict[str, Any], wanted: dict[str, str] | None = None) -> list[Row] | Unusable:
    return convert(record, schema_of(list(record), wanted or {}, "rows.jsonl"), "drop")


@pytest.mark.parametrize(
    ("record", "name", "row"),
    [
        ({"instruction": "a", "input": "b", "output": "c"}, "alpaca", Row("a", "b", "c")),
        ({"instruction": "a", "output": "c", "input": None}, "alpaca", Row("a", "", "c")),
        ({"instruction": "a", "output": "c"}, "alpaca", Row("a", "", "c")),
        ({"instruction": "a", "context": "b", "response": "c", "category": "d"}, "dolly", Row("a", "b", "c")),
        ({"prompt": "a", "completion": "c"}, "prompt-completion", Row("a", "", "c")),
        ({"prompt": "a", "response": "c"}, "prompt-completion", Row("a", "", "c")),
        ({"question": "a", "answer": "c"}, "question-answer", Row("a", "", "c")),
        ({"question": "a", "context": "b", "answer": "c"}, "question-answer", Row("a", "b", "c")),
        ({"text": "c"}, "text", Row("", "", "c")),
        ({"messages": [ASKED, ANSWERED], "id": 3}, "messages", Row("Hello?", "", "Hi.")),
        (
            {"conversations": [{"from": "human", "value": "Hello?"}, {"from": "gpt", "value": "Hi."}]},
            "messages",
            Row("Hello?", "", "Hi."),
        ),
    ],
)
def test_the_known_schemas_are_recognised(record: dict[str, Any], name: str, row: Row) -> None:
    assert schema_of(list(record), {}, "x").name == name
    assert rows(record) == [row]


def test_columns_are_taken_as_the_user_says() -> None:
    record = {"frage": "a", "antwort": "c", "text": "other"}

    assert rows(record, parse_columns("instruction=frage, output=antwort")) == [Row("a", "", "c")]
    assert rows(record, parse_columns("text=frage")) == [Row("", "", "a")]


def test_an_unknown_schema_names_the_columns_and_the_option() -> None:
    message = r"^rows\.csv: .* Received: the columns a, b\. Say what holds the texts: --columns instruction=COLUMN"
    with pytest.raises(SourceError, match=message):
        schema_of(["b", "a"], {}, "rows.csv")
    with pytest.raises(SourceError, match=r"must name columns that are there\. Received: c, beside the columns a, b"):
        schema_of(["b", "a"], {"instruction": "a", "output": "c"}, "rows.csv")


@pytest.mark.parametrize("text", ["instruction=a", "text=", "text", "text=a,output=b", "prompt=a,output=b"])
def test_an_incomplete_mapping_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"--columns must name instruction and output, .* Received"):
        parse_columns(text)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            {"instruction": "a", "input": "b"},
            r"Column 'output' is missing\. Received: the columns input, instruction\.",
        ),
        ({"instruction": "a", "output": None}, r"Column 'output' must be a text\. Received: NoneType None\."),
        ({"instruction": "a", "output": {"a": 1}}, r"must be a text\. Received: dict {'a': 1}\."),
        ({"instruction": "a", "input": 0, "output": "c"}, r"Column 'input' must be a text\. Received: int 0\."),
        ({"instruction": "a", "output": "\ud83d"}, r"Column 'output' must be UTF-8\. Received: '\\ud83d'"),
    ],
)
def test_a_record_of_another_type_is_told_by_its_column(record: dict[str, Any], message: str) -> None:
    schema = schema_of(["instruction", "input", "output"], {}, "x")

    with pytest.raises(NotThisSchema, match=message):
        convert(record, schema, "drop")


def test_a_system_text_stands_before_the_first_prompt_and_parts_of_a_text_are_joined() -> None:
    system = {"role": "system", "content": "Be brief."}
    parts = {"role": "user", "content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo?"}]}

    assert rows_of([system, parts, ANSWERED], "drop") == [Row("Be brief.\n\nHello?", "", "Hi.")]


def test_of_several_turns_none_the_last_or_each_is_taken() -> None:
    second = [{"role": "user", "content": "And now?"}, {"role": "assistant", "content": "Bye."}]
    messages = [{"role": "system", "content": "S"}, ASKED, ANSWERED, *second]

    reason, detail = rows_of(messages, "drop")
    assert (reason, detail) == ("several turns", "2 turns; --turns last or each takes them without those before")
    assert rows_of(messages, "last") == [Row("And now?", "", "Bye.")]
    assert rows_of(messages, "each") == [Row("S\n\nHello?", "", "Hi."), Row("And now?", "", "Bye.")]


@pytest.mark.parametrize(
    ("messages", "detail"),
    [
        ([], "no turn"),
        ([ASKED], "the last message must be the assistant's"),
        ([ANSWERED], "message 1 is 'assistant'"),
        ([ASKED, ASKED, ANSWERED], "message 2 is 'user'"),
        ([ASKED, ANSWERED, {"role": "tool", "content": "x"}], "message 3 is None"),
        ([ASKED, {"role": "assistant", "content": None}], "message 2 is None"),
        ([ASKED, ANSWERED, ASKED], "the last message must be the assistant's"),
        (["text"], "message 1 is None"),
    ],
)
def test_turns_out_of_order_give_no_row(messages: list[Any], detail: str) -> None:
    assert rows_of(messages, "each") == ("turns out of order", detail)


def test_messages_that_are_no_list_give_no_row() -> None:
    assert rows_of("hello", "each") == ("wrong type", "messages must be a list. Received: str")
