"""The data gate's checks: everything that makes rows unfit for training, in words that find the row."""

from __future__ import annotations

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0.anomalies_pb2 import Anomalies
from tensorflow_metadata.proto.v0.schema_pb2 import Schema
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

from data.records import Example
from data.tfrecords import Row, encode
from pipeline.components.data_gate.checks import (
    DataGateError,
    anomaly_problems,
    check_content,
    excerpt,
    row_count,
    schema_problems,
    statistics_problems,
)

GOOD = encode(Row("Name the capital of France.", "", "Paris"))


def example(**texts: bytes) -> bytes:
    made = Example()
    for name, text in texts.items():
        made.features.feature[name].bytes_list.value.append(text)
    return bytes(made.SerializeToString())


def anomalies(text: str) -> Anomalies:
    return text_format.Parse(text, Anomalies())


def test_anomalies_are_told_in_their_own_words() -> None:
    found = anomalies("""
        anomaly_info { key: "output" value {
            short_description: "Column dropped" description: "Present in too few examples" severity: ERROR } }
        anomaly_info { key: "score" value {
            short_description: "New column" description: "In data but not in schema" severity: ERROR } }
    """)

    assert anomaly_problems(found, split="train") == [
        "feature 'output', split 'train': Column dropped. Present in too few examples",
        "feature 'score', split 'train': New column. In data but not in schema",
    ]


def test_an_anomaly_of_the_whole_data_set_is_told() -> None:
    found = anomalies("""
        dataset_anomaly_info { short_description: "Low num examples" description: "Too few" severity: ERROR }
    """)

    assert anomaly_problems(found, split="eval") == ["the whole split 'eval': Low num examples. Too few"]


def test_a_mere_warning_passes() -> None:
    found = anomalies('anomaly_info { key: "x" value { short_description: "Odd" severity: WARNING } }')

    assert anomaly_problems(found, split="train") == []


def test_good_rows_pass() -> None:
    content = check_content([GOOD, encode(Row("Add.", "1 and 2", "3"))], split="train")

    assert content.rows == 2
    assert content.problems == []


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (encode(Row("Say hello.", "", " \n")), "row with instruction 'Say hello.': output must not be blank"),
        (encode(Row("\t", "", "Hello")), "row with output 'Hello': instruction must not be blank"),
        (
            example(instruction=b"Say hello.", input=b"", output=b"h\xffllo"),
            "row with instruction 'Say hello.': field 'output' must be UTF-8: byte 0xff at 1",
        ),
        (
            example(prompt=b"Say hello.", input=b"", output=b"hello"),
            "row with output 'hello': field 'instruction' is missing: has input, output, prompt",
        ),
        (encode(Row("", "", "")), "row without any text: instruction must not be blank"),
    ],
)
def test_a_bad_row_is_quoted_with_its_problem(record: bytes, problem: str) -> None:
    content = check_content([GOOD, record], split="train")

    assert content.rows == 2
    assert content.problems[0] == f"split 'train', {problem}"


def test_many_bad_rows_are_counted_not_listed() -> None:
    content = check_content([encode(Row(f"Task {n}.", "", "")) for n in range(9)], split="eval", shown_per_rule=2)

    assert content.problems == [
        "split 'eval', row with instruction 'Task 0.': output must not be blank",
        "split 'eval', row with instruction 'Task 1.': output must not be blank",
        "split 'eval': and 7 more rows: output must not be blank",
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
    from pathlib import Path

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
