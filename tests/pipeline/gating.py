"""Limits and rows for the data gate's tests."""

from __future__ import annotations

from data.records import Example
from data.tfrecords import FIELDS, Row
from pipeline.components.data_gate.anomalies import Limits

LIMITS = Limits(
    prompt_characters=100,
    response_characters=50,
    overlong=0.1,
    duplicates=0.1,
    eval_in_train=0.1,
    skew=0.1,
    drift=0.1,
)


def with_features_turned(row: Row) -> bytes:
    """Returns a row's serialized example with its features in the opposite order, as ExampleGen may write them.

    Messages of one feature each, one after the other: protocol buffers read them as one.
    """
    return b"".join(_one_feature(name, text) for name, text in reversed(list(zip(FIELDS, row, strict=True))))


def _one_feature(name: str, text: str) -> bytes:
    example = Example()
    example.features.feature[name].bytes_list.value.append(text.encode())
    return bytes(example.SerializeToString())
