"""The data gate's checks: everything that makes rows unfit for training, in words that find the row."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0.anomalies_pb2 import Anomalies
from tensorflow_metadata.proto.v0.schema_pb2 import Schema
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

from data.records import Example
from data.tfrecords import Kind, Row, encode
from pipeline.components.data_gate.anomalies import NAMES, Anomaly, AnomalyNameError, check_names
from pipeline.components.data_gate.checks import (
    Content,
    DataGateError,
    check_content,
    excerpt,
    row_count,
    schema_anomalies,
    schema_problems,
    statistics_problems,
)
from pipeline.components.data_gate.survey import Survey
from tests.pipeline.gating import LIMITS

GOOD = encode(Row("Name the capital of France.", "", "Paris"))


def example(**texts: bytes) -> bytes:
    made = Example()
    for name, text in texts.items():
        made.features.feature[name].bytes_list.value.append(text)
    return bytes(made.SerializeToString(deterministic=True))


def anomalies(text: str) -> Anomalies:
    return text_format.Parse(text, Anomalies())


def checked(records: Iterable[bytes], *, kind: Kind = "instructions", shown: int = 5) -> Content:
    return check_content(records, split="train", survey=Survey(LIMITS), kind=kind, shown_per_rule=shown)


def test_anomalies_are_told_in_their_own_words() -> None:
    found = anomalies("""
        anomaly_info { key: "output" value {
            short_description: "Column dropped" description: "Present in too few examples" severity: ERROR } }
        anomaly_info { key: "score" value {
            short_description: "New column" description: "In data but not in schema" severity: ERROR } }
    """)

    assert schema_anomalies(found, "train") == [
        Anomaly("schema", "feature 'output', split 'train': Column dropped. Present in too few examples"),
        Anomaly("schema", "feature 'score', split 'train': New column. In data but not in schema"),
    ]


def test_an_anomaly_of_the_whole_data_set_is_told() -> None:
    found = anomalies("""
        dataset_anomaly_info { short_description: "Low num examples" description: "Too few" severity: ERROR }
    """)

    assert schema_anomalies(found, "eval") == [Anomaly("schema", "the whole split 'eval': Low num examples. Too few")]


def test_a_mere_warning_passes() -> None:
    found = anomalies('anomaly_info { key: "x" value { short_description: "Odd" severity: WARNING } }')

    assert schema_anomalies(found, "train") == []


def test_good_rows_pass() -> None:
    content = checked([GOOD, encode(Row("Add.", "1 and 2", "3"))])

    assert content.survey.rows == 2
    assert content.problems == content.anomalies == []


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (encode(Row("Say hello.", "", " \n")), "with instruction 'Say hello.' (output)"),
        (encode(Row("\t", "", "Hello")), "with output 'Hello' (instruction)"),
        (encode(Row("", "", "")), "without any text (instruction and output)"),
    ],
)
def test_a_blank_row_is_an_anomaly_that_quotes_it(record: bytes, words: str) -> None:
    content = checked([GOOD, record])

    assert content.problems == []
    assert [str(anomaly) for anomaly in content.anomalies] == [
        f"blank: 1 of 2 train rows have a blank instruction or output. Such as the row {words}. "
        "Remove them, or let it through with --data.allow-anomalies blank."
    ]


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (
            example(instruction=b"Say hello.", input=b"", output=b"h\xffllo"),
            "row with instruction 'Say hello.': field 'output' must be UTF-8: byte 0xff at 1",
        ),
        (
            example(prompt=b"Say hello.", input=b"", output=b"hello"),
            "row with output 'hello': field 'instruction' is missing: has input, output, prompt",
        ),
    ],
)
def test_a_row_that_nothing_can_be_trained_on_is_quoted_with_its_problem(record: bytes, problem: str) -> None:
    content = checked([GOOD, record])

    assert content.survey.rows == 1
    assert content.problems == [f"split 'train', {problem}"]


def test_many_bad_rows_are_counted_not_listed() -> None:
    content = checked([example(instruction=f"Task {n}.".encode(), input=b"") for n in range(9)], shown=2)

    assert content.problems == [
        "split 'train', row with instruction 'Task 0.': field 'output' is missing: has input, instruction",
        "split 'train', row with instruction 'Task 1.': field 'output' is missing: has input, instruction",
        "split 'train': and 7 more rows: field 'output' is missing",
    ]


def test_a_document_needs_no_instruction_and_may_have_none() -> None:
    content = checked([encode(Row("", "", "A text.")), encode(Row("Say hello.", "", "Hello"))], kind="text")

    assert content.anomalies == []
    assert content.problems == [
        "split 'train', row with instruction 'Say hello.': field 'instruction' of a document must be empty: "
        "'Say hello.'"
    ]


def test_a_long_text_is_cut_in_the_message() -> None:
    assert excerpt(encode(Row("word " * 40, "", "x"))) == f"with instruction '{('word ' * 12)[:60]}…'"


def test_an_inferred_schema_must_promise_the_three_texts() -> None:
    schema = text_format.Parse(
        'feature { name: "instruction" type: BYTES } feature { name: "answer" type: BYTES }'
        'feature { name: "output" type: INT }',
        Schema(),
    )

    assert schema_problems(schema) == [
        "The rows need the features instruction, input, output. Received: answer, instruction, output. Rename them.",
        "feature 'output' must hold text (BYTES). Received: INT. Write it as bytes.",
    ]


def test_the_curated_schema_is_accepted() -> None:
    text = (Path(__file__).parents[2] / "pipeline/schema/alpaca.pbtxt").read_text(encoding="utf-8")

    assert schema_problems(text_format.Parse(text, Schema())) == []


def test_an_empty_split_is_a_problem() -> None:
    full = DatasetFeatureStatisticsList()
    full.datasets.add(num_examples=3)
    empty = DatasetFeatureStatisticsList()

    assert row_count(full) == 3
    assert statistics_problems({"train": full, "eval": empty}) == [
        "split 'eval' must have rows. Received: none. Check the files and the patterns in [data]."
    ]


def test_the_error_lists_everything() -> None:
    error = DataGateError(["one", "two"])

    assert str(error) == "The data are not fit for training: 2 problems.\n  1. one\n  2. two"
    assert error.user_message


def test_only_anomalies_that_exist_can_be_let_through() -> None:
    check_names(NAMES)
    with pytest.raises(AnomalyNameError) as caught:
        check_names(["duplicates", "leak"])
    assert str(caught.value) == (
        "There is no such anomaly. Received: 'leak'. "
        "Take one of schema, blank, length, duplicates, eval_in_train, skew, drift, dropped."
    )
