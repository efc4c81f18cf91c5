"""What the records of other components become on the card."""

from __future__ import annotations

from pathlib import Path

from pipeline.components.data_gate.record import DataRecord
from pipeline.components.evaluator.record import EvaluationRecord
from pipeline.components.hf_pusher.findings import allowed_anomalies, read_slices
from publishing.card.facts import SliceMetrics


def test_the_evaluators_report_is_read_without_what_it_says_of_other_models(tmp_path: Path) -> None:
    row = {"slice": {}, "candidate": {"rows": 207.0, "loss": 0.07123456789, "perplexity": float("nan")}}
    before = {"id": 3, "uri": "/models/3"}
    report = {"blessed": True, "baseline": before, "slices": [row | {"baseline": {"loss": 9.0}}], "seconds": 1.5}
    EvaluationRecord.model_validate(report).write(tmp_path)

    assert read_slices(tmp_path) == (SliceMetrics({}, {"rows": 207, "loss": 0.0712346}),)
    assert read_slices(tmp_path / "nowhere") == ()


def test_what_the_gate_let_through_is_told_in_its_words() -> None:
    allowed = [{"name": "duplicates", "words": "7 % of the rows | repeat an earlier one", "examples": []}]
    gate = DataRecord.model_validate({"rows": {"train": 1}, "allowed": allowed})

    assert allowed_anomalies(gate) == ("duplicates: 7 % of the rows | repeat an earlier one",)
