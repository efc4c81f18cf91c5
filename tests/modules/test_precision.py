"""What is told of a precision that the processor has no instructions for."""

from __future__ import annotations

import logging
from pathlib import Path

import keras
import pytest

from modules.training import precision
from modules.training.precision import cost_of, processor_flags, tell_costly_precision

ZEN_3 = frozenset({"avx2", "fma", "sse4_2"})


@pytest.mark.parametrize(
    ("asked", "flags", "costs"),
    [
        ("mixed_bfloat16", ZEN_3, True),
        ("mixed_bfloat16", ZEN_3 | {"avx512_bf16"}, False),
        ("mixed_bfloat16", {"amx_bf16"}, False),
        ("mixed_bfloat16", {"avx512_fp16"}, True),
        ("mixed_float16", {"avx512_fp16"}, False),
        ("mixed_float16", {"avx512_bf16"}, True),
    ],
)
def test_a_processor_without_the_instructions_costs(asked: str, flags: frozenset[str], costs: bool) -> None:
    assert (cost_of(asked, flags) is not None) == costs


def test_the_first_processors_flags_are_read(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nflags\t\t: fpu avx2 amx_bf16\n\nprocessor\t: 1\nflags\t\t: fpu\n")

    assert processor_flags(file) == {"fpu", "avx2", "amx_bf16"}
    assert processor_flags(tmp_path / "none") == frozenset()


@pytest.mark.parametrize(
    ("asked", "devices", "told"),
    [("mixed_bfloat16", ["cpu:0"], 1), ("mixed_bfloat16", ["gpu:0"], 0), ("float32", ["cpu:0"], 0)],
)
def test_it_is_told_where_nothing_else_trains(
    asked: str, devices: list[str], told: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: devices)
    monkeypatch.setattr(precision, "processor_flags", lambda: ZEN_3)
    with caplog.at_level(logging.WARNING):
        tell_costly_precision(asked)

    message = cost_of("mixed_bfloat16", ZEN_3)
    assert [record.getMessage() for record in caplog.records] == [message] * told
