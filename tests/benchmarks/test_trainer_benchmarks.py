from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pytest

from benchmarks.gpu_throughput import utilisation
from benchmarks.rows import take_pairs, write_pairs
from benchmarks.throughput import OWN, make_job, run, table
from benchmarks.time_to_quality import loss_at
from benchmarks.time_to_quality import table as quality_table
from benchmarks.trainers.job import Job, Sizes, StepClock
from modules.models.gpt2.tokenizer import save_tokenizer, train_tokenizer

pytestmark = pytest.mark.usefixtures("forked_children")

WORDS = ("pear", "apple", "plum", "fig", "kiwi", "lime", "date", "quince", "nut", "bean", "rye", "oat")


@pytest.fixture
def options(tmp_path: Path) -> argparse.Namespace:
    rows = [{"instruction": f"Say {word}.", "input": "", "output": word} for word in WORDS]
    data, tokenizer = tmp_path / "rows.json", tmp_path / "tokenizer"
    data.write_text(json.dumps([*rows, {"instruction": "Say nothing.", "input": "", "output": " "}]))
    tokenizer.mkdir()
    save_tokenizer(train_tokenizer([row["instruction"] for row in rows], vocabulary_size=300), tokenizer)
    return argparse.Namespace(
        data=data,
        tokenizer=tokenizer,
        rows=100,
        seed=0,
        steps=4,
        rival_steps=3,
        packed_steps=2,
        batch_size=2,
        length=128,
        dropout=0.0,
        tiny=True,
    )


def test_rows_without_an_answer_and_long_ones_are_left_out(options: argparse.Namespace) -> None:
    assert sorted(response for _, response in take_pairs(options)) == sorted(WORDS)
    assert take_pairs(options, longest=10) == []


@pytest.mark.parametrize("side", ["own", "full-logits"])
def test_this_trainer_measures_the_steps_after_its_warm_up(
    side: str, options: argparse.Namespace, tmp_path: Path
) -> None:
    pairs = take_pairs(options, longest=options.length)
    module, job = make_job(side, write_pairs(pairs, tmp_path / "pairs.json"), options)
    assert (module, job.steps, job.warmup_steps) == (OWN, 4, 2)
    result = run(Path(sys.executable), module, job, tmp_path)
    assert result["steps"] == 2
    assert result["computed_tokens"] == 2 * 2 * 128
    assert result["data"]["rows"] == len(WORDS)
    assert 0 < result["supervised_tokens"] < result["tokens"] <= result["computed_tokens"]
    assert result["peak_mb"] > 100


def test_the_rivals_default_is_left_as_it_is(options: argparse.Namespace) -> None:
    _, default = make_job("trl", "rows.json", options)
    assert (default.sequence_length, default.packing, default.batch_size, default.options) == (None, False, 8, {})


def test_ratios_are_taken_within_each_turn() -> None:
    def turn(rate: float, peak: float) -> dict[str, float]:
        return {
            "supervised_per_second": rate,
            "tokens_per_second": 2 * rate,
            "peak_mb": peak,
            "user_seconds": 9,
            "system_seconds": 0.25,
            "page_faults": 1234,
            "tokens": 75,
            "computed_tokens": 100,
        }

    lines = table({"own": [turn(30, 50), turn(60, 50)], "trl": [turn(10, 100), turn(15, 100)]}).splitlines()
    assert lines[2] == "| own | 45.0 | 90.0 | 25% | 50 | 9.0 | 0.2 | 1,234 | 1.00 1.00 | 1.00 1.00 |"
    assert lines[3] == "| trl | 12.5 | 25.0 | 25% | 100 | 9.0 | 0.2 | 1,234 | 3.00 4.00 | 0.50 0.50 |"


def test_a_loss_between_two_evaluations_lies_on_the_line_between_them() -> None:
    curve = [{"seconds": 10.0, "loss": 4.0}, {"seconds": 20.0, "loss": 3.0}]
    assert loss_at(curve, "seconds", 12.5) == 3.75
    assert loss_at(curve, "seconds", 20.0) == 3.0


def test_losses_are_compared_where_both_sides_have_some() -> None:
    own = [{"seconds": 10.0, "loss": 4.0}, {"seconds": 30.0, "loss": 2.0}]
    trl = [{"seconds": 20.0, "loss": 5.0}, {"seconds": 40.0, "loss": 3.0}]
    lines = quality_table([own], [trl], measure="seconds").splitlines()
    assert lines[2] == "| 20 | 3.000 | 5.000 | -2.000 |"
    assert lines[-1] == "| 30 | 2.000 | 4.000 | -2.000 |"


def test_utilisation_counts_blocks_for_tokens_and_logits_for_supervised_ones() -> None:
    sizes = Sizes(num_layers=2, num_heads=1, hidden_dim=10, intermediate_dim=40)
    result = {"tokens": 100, "supervised_tokens": 50, "seconds": 2.0}
    operations = 6 * 2 * (400 + 800) * 100 + 6 * 10 * 1000 * 50
    assert utilisation(result, sizes, 1000, peak_tflops=1e-6) == pytest.approx(operations / 2 / 1e6)


def test_the_clock_stands_still_during_an_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 1.0, 3.0, 3.0, 100.0, 101.0])
    monkeypatch.setattr("benchmarks.trainers.job.time.perf_counter", lambda: next(now))
    job = Job("rows", "tokenizer", steps=3, batch_size=1, sequence_length=8, packing=True, eval_every=2)
    clock = StepClock(job, [(8, 6, 3)] * 3)
    clock.tick()
    clock.tick()
    assert clock.evaluation_due
    with clock.evaluating() as record:
        record(2.5)
    clock.tick()
    assert clock.evaluations == [{"seconds": 2.0, "supervised_tokens": 6, "loss": 2.5}]
    measured = clock.measured()
    assert (measured["steps"], measured["seconds"], measured["supervised_per_second"]) == (2, 3.0, 2.0)
