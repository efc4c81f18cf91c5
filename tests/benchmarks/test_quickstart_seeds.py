"""The quickstart's trainings from several seeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.quickstart_seeds import Result, main, table

TINY = Path(__file__).parents[1] / "e2e/tiny.toml"


def test_every_seed_is_a_training_of_its_own_whose_answers_to_all_held_out_rows_are_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--seeds", "7", "--profile", str(TINY), "--data.path", "data/sample/tfrecords"]) == 0

    *_, row, mean = capsys.readouterr().out.splitlines()
    assert row.startswith("| 7 | 3 | 3 | 3 | ")
    assert " | 0 of 207 (0.0%) | " in row
    assert mean.startswith("| mean | 3 | | | ")


def test_the_last_line_has_the_means() -> None:
    results = [Result(1, 400, 600, 350, 0.1, 9, 10, 60.0), Result(2, 600, 600, 600, 0.3, 10, 10, 90.0)]

    assert table(results).splitlines()[2:] == [
        "| 1 | 400 | 600 | 350 | 0.1000 | 9 of 10 (90.0%) | 60 s |",
        "| 2 | 600 | 600 | 600 | 0.3000 | 10 of 10 (100.0%) | 90 s |",
        "| mean | 500 | | | 0.2000 | 95.0% | 75 s |",
    ]
