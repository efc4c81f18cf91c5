"""What the data gate finds unusual about rows that can be trained on: too long, twice, known, shifted."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from tensorflow_metadata.proto.v0.anomalies_pb2 import Anomalies
from tfx.types import Artifact

from data.tfrecords import Kind, Row, encode
from pipeline.components.data_gate.artifact import DataBlessing
from pipeline.components.data_gate.earlier import EARLIER, STATISTICS, LastAcceptedDataStrategy
from pipeline.components.data_gate.inspection import Inspection, inspect
from pipeline.components.data_gate.record import DataRecord
from pipeline.components.data_gate.survey import divergence, length_bin
from tests.pipeline.gating import LIMITS, with_features_turned

TRAIN = [Row(f"Count to {n}.", "", "one, two, three") for n in range(300)]
EVAL = [Row(f"Mount to {n}.", "", "three, two, one") for n in range(250)]


def inspected(
    train: Sequence[Row],
    evaluation: Sequence[Row] = EVAL,
    *,
    earlier: DataRecord | None = None,
    kind: Kind = "instructions",
) -> Inspection:
    records = {"train": map(encode, train), "eval": map(encode, evaluation)}
    validated = {"train": Anomalies(), "eval": Anomalies()}
    return inspect(records, limits=LIMITS, validated=validated, earlier=earlier, kind=kind)


def record_of(train: Sequence[Row]) -> DataRecord:
    """A record as a later run reads it back."""
    return DataRecord.parse(inspected(train).record(frozenset()).render(), path="report.json")


def report_of(found: Inspection, allow: frozenset[str] = frozenset()) -> dict[str, Any]:
    """What the record's file holds."""
    report: dict[str, Any] = json.loads(found.record(allow).render())
    return report


def test_ordinary_rows_have_no_anomaly_and_a_report_that_describes_them() -> None:
    found = inspected(TRAIN)
    report = report_of(found)

    assert found.problems(frozenset()) == []
    assert report["rows"] == {"train": 300, "eval": 250}
    assert report["shares"]["train"] == {"overlong": 0.0, "duplicates": 0.0, "in_train": 0.0}
    assert report["splits"]["train"] == {
        "rows": 300,
        "with_input": 0.0,
        "characters": {
            "prompt": {
                "mean": (10 * 11 + 90 * 12 + 200 * 13) / 300,
                "longest": 13,
                "bins": {str(length_bin(11)): 300},
            },
            "response": {"mean": 15.0, "longest": 15, "bins": {"8": 300}},
        },
    }
    assert report["allowed"] == []
    assert report["drift"] is None
    assert report["notes"] == [
        "drift was not looked at: no earlier run's rows of this folder are known to have been accepted"
    ]


def test_overlong_rows_are_an_anomaly_once_they_are_too_many() -> None:
    overlong = [Row("Repeat.", "x" * 94, "y"), Row("Say it.", "", "y" * 51)]
    few, many = [*TRAIN[:18], *overlong], [*TRAIN[:17], *overlong, Row("Say.", "", "z" * 60)]

    assert inspected(few).problems(frozenset()) == []
    assert inspected(many).problems(frozenset()) == [
        "length: 3 of 20 train rows (15.0%) have a prompt of more than 100 or a response of more than 50 characters; "
        "at most 10.0% may. Such as the row with instruction 'Repeat.' (101 and 1 characters); "
        "the row with instruction 'Say it.' (7 and 51 characters); the row with instruction 'Say.' (4 and 60 "
        "characters). Shorten them, raise data.max_prompt_characters, data.max_response_characters or "
        "data.max_overlong, or let it through with --data.allow-anomalies length."
    ]


def test_a_row_that_differs_only_in_case_and_white_space_is_a_duplicate() -> None:
    twice = [Row("COUNT  to 3.\n", "", "One, two, three"), Row("Count to 4.", "", "one, two, three ")]
    other_answer = [Row("Count to 5.", "", "five")]
    (problem,) = inspected(TRAIN[:13] + twice + other_answer).problems(frozenset())

    assert problem.startswith(
        "duplicates: 2 of 16 train rows (12.5%) repeat an earlier one, but for case and white space; "
        "at most 10.0% may. Such as the row with instruction 'COUNT to 3.'; the row with instruction 'Count to 4.'. "
    )


def test_an_evaluation_row_that_was_trained_on_is_an_anomaly() -> None:
    known = [Row("Count to 7.", "", "another answer"), Row("count to 8.", " ", "x")]
    (problem,) = inspected(TRAIN, EVAL[:10] + known).problems(frozenset())

    assert problem.startswith(
        "eval_in_train: 2 of 12 evaluation rows (16.7%) ask what a train row asks, so that their figures tell what "
        "was learnt by heart; at most 10.0% may. Such as the row with instruction 'Count to 7.'; the row with "
    )
    assert problem.endswith("or let it through with --data.allow-anomalies eval_in_train.")


def test_documents_are_compared_by_their_text_and_may_be_long() -> None:
    documents = [Row("", "", f"Text {n}. " * 20) for n in range(20)]

    assert inspected(documents[:15], documents[15:], kind="text").problems(frozenset()) == []
    (problem,) = inspected(documents[:16], documents[15:], kind="text").problems(frozenset())
    assert problem.startswith("eval_in_train: 1 of 5 evaluation rows (20.0%)")


def test_evaluation_rows_of_another_kind_are_skew() -> None:
    with_inputs = [Row(f"Add to {n}.", "1", "three, two, one") for n in range(250)]
    found = inspected(TRAIN, with_inputs)

    assert found.skew is not None
    assert found.skew["with_input"] == 1.0
    assert [anomaly.name for anomaly in found.anomalies] == ["skew"]
    assert found.anomalies[0].words == (
        "100% of the evaluation rows have an input, and 0% of the train rows; the two may be 10 points apart"
    )


def test_rows_unlike_the_last_accepted_ones_are_drift() -> None:
    longer = [Row(f"Count to {n}.", "", "one, two, three, four, five, six") for n in range(300)]
    found = inspected(longer, [row._replace(output="six, five, four, three, two, one") for row in EVAL],
                      earlier=record_of(TRAIN))  # fmt: skip

    assert found.drift == {"prompt_characters": 0.0, "response_characters": 1.0, "with_input": 0.0}
    assert found.problems(frozenset()) == [
        "drift: the responses of the train rows are 32 characters long in the mean, those of the last accepted run "
        "15; their lengths are 1 apart (Jensen-Shannon divergence, 0 to 1), and at most 0.1 is allowed. "
        "Look at the rows, raise data.max_drift, or let it through with --data.allow-anomalies drift."
    ]


def test_the_same_rows_do_not_drift() -> None:
    found = inspected(TRAIN, earlier=record_of(TRAIN))

    assert found.drift == {"prompt_characters": 0.0, "response_characters": 0.0, "with_input": 0.0}
    assert found.anomalies == ()


def test_few_rows_are_not_compared_and_the_report_says_so() -> None:
    found = inspected(TRAIN[:50], EVAL[:5], earlier=record_of(TRAIN))

    assert found.skew is found.drift is None
    assert found.notes == (
        "skew was not looked at: 5 rows are fewer than 200",
        "drift was not looked at: 50 rows are fewer than 200",
    )


def test_what_is_let_through_is_recorded() -> None:
    found = inspected(TRAIN, [*EVAL, *TRAIN[:100]])
    allowed = report_of(found, frozenset({"eval_in_train", "drift"}))["allowed"]

    assert found.problems(frozenset({"eval_in_train"})) == []
    assert [anomaly["name"] for anomaly in allowed] == ["eval_in_train"]
    assert allowed[0]["words"].startswith("100 of 350 evaluation rows (28.6%) ask what a train row asks")
    assert allowed[0]["examples"] == [f"with instruction 'Count to {n}.'" for n in range(3)]


def test_what_is_let_through_is_told_in_words() -> None:
    record = inspected(TRAIN, [*EVAL, *TRAIN[:100]]).record(frozenset({"eval_in_train"}))

    assert [f"{anomaly}." for anomaly in record.allowed] == [f"eval_in_train: {record.allowed[0].words}."]
    assert inspected(TRAIN).record(frozenset()).allowed == ()


def test_texts_are_counted_by_column_and_the_rows_hashed_whatever_their_order() -> None:
    found = report_of(inspected([Row("Add.", "1 and 2", "3"), Row("Say.", "", "x"), Row("Say it.", " ", "y" * 60)]))
    turned = report_of(inspected([Row("Say it.", " ", "y" * 60), Row("Say.", "", "x"), Row("Add.", "1 and 2", "3")]))
    fewer = report_of(inspected([Row("Add.", "1 and 2", "3"), Row("Say.", "", "x")]))

    texts = found["texts"]["train"]
    assert (texts["input"]["blank"], texts["input"]["longest"]) == (2, 7)
    assert texts["input"]["lengths"][:3] == [[0, 2], [10, 1], [20, 0]]
    assert [bar for bar in texts["output"]["lengths"] if bar[1]] == [[10, 2], [100, 1]]
    assert found["content_hash"] == turned["content_hash"] != fewer["content_hash"]


def test_the_hash_of_the_rows_does_not_depend_on_the_order_of_a_records_features() -> None:
    def hash_of(records: list[bytes]) -> str | None:
        found = inspect({"train": records, "eval": []}, limits=LIMITS, validated={}, earlier=None, kind="instructions")
        return found.record(frozenset()).content_hash

    assert hash_of([with_features_turned(row) for row in TRAIN]) == hash_of([encode(row) for row in TRAIN])


def test_the_divergence_is_jensen_and_shannons() -> None:
    # p = (1/2, 1/2), q = (1, 0), their mean (3/4, 1/4)
    to_mean = 0.5 * math.log2(0.5 / 0.75) + 0.5 * math.log2(0.5 / 0.25), 1 * math.log2(1 / 0.75)

    assert divergence({"1": 5, "2": 5}, {"1": 3}) == pytest.approx(sum(to_mean) / 2)
    assert divergence({"1": 3}, {"1": 5, "2": 5}) == pytest.approx(sum(to_mean) / 2)
    assert divergence({"1": 3}, {"1": 7}) == 0.0
    assert divergence({"1": 3}, {"2": 7}) == 1.0


def test_bins_grow_with_the_length() -> None:
    assert [length_bin(characters) for characters in (0, 1, 2, 3, 7, 15, 1023)] == [0, 2, 3, 4, 6, 8, 20]


# ---------------------------------------------------------------------------------- The run to compare with


def blessing(number: int, *, statistics: int, dataset: str = "/rows") -> DataBlessing:
    made = DataBlessing()
    made.id = number
    made.set_int_custom_property("statistics_id", statistics)
    made.set_string_custom_property("dataset", dataset)
    return made


def resolved(known: Sequence[Artifact], *, statistics: int) -> list[int]:
    current = DataBlessing()  # any artifact with an id
    current.id = statistics
    found = LastAcceptedDataStrategy("/rows").resolve_artifacts(None, {EARLIER: list(known), STATISTICS: [current]})
    return [artifact.id for artifact in found[EARLIER]]


def test_the_last_accepted_rows_are_of_the_same_folder_and_not_the_current_ones() -> None:
    known = [
        blessing(5, statistics=1),
        blessing(9, statistics=2),
        blessing(12, statistics=3, dataset="/others"),
        blessing(15, statistics=4),
    ]

    assert resolved(known, statistics=4) == [9]
    assert resolved(known, statistics=8) == [15]
    assert resolved(known[:1], statistics=1) == []
    assert resolved([], statistics=1) == []
