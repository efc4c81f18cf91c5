"""Two runs side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.report.comparison import Comparison, Entry, compare
from pipeline.report.reading.run import read_facts
from pipeline.report.store import find_run, stores
from pipeline.report.tables import comparison_text
from tests.report.made_run import FAILED, GRAPH, ROWS, RUN, MadeStore, Settings, make_run

LATER = "20261122-040506-000002"


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    output = tmp_path_factory.mktemp("compared")
    make_run(output)
    rows = {"train": ROWS["train"][:2], "eval": ROWS["eval"]}
    make_run(output, Settings(run_id=LATER, learning_rate=0.5, blessed=False, loss=3.5, rows=rows))
    found = stores(str(output))
    return compare(*(read_facts(find_run(found, run_id)) for run_id in (RUN, LATER)))


def entries(comparison: Comparison, title: str) -> dict[str, Entry]:
    (part,) = (part for part in comparison.parts if part.title == title)
    return {entry.name: entry for entry in part.entries}


def test_only_settings_that_differ_are_listed(comparison: Comparison) -> None:
    assert entries(comparison, "Settings") == {
        "training.learning_rate": Entry("training.learning_rate", "0.002", "0.5"),
    }
    (part,) = (part for part in comparison.parts if part.title == "Settings")
    assert part.remark == "9 more are the same."


def test_what_a_run_that_broke_off_did_not_come_to_is_no_change(comparison: Comparison, tmp_path: Path) -> None:
    made = MadeStore(tmp_path)
    made.execute("broken", "ImportExampleGen", properties={"input_base": "data/other"})
    made.execute("broken", "DataGate", state=FAILED)
    made.record("broken", profile="quickstart", graph=GRAPH, failure="The data are not fit for training.")
    broken = read_facts(find_run(stores(str(tmp_path)), "broken"))

    parts = {part.title: part for part in compare(comparison.first, broken).parts}

    assert parts["Settings"].entries == (Entry("data.path", "data/sample", "data/other"),)
    assert parts["Settings"].remark == "1 more is the same. 8 cannot be compared: a run broke off before it used them."
    assert parts["Code"].entries == parts["Versions"].entries == ()


def test_metrics_tell_their_change_and_whether_it_is_for_the_better(comparison: Comparison) -> None:
    assert entries(comparison, "Metrics") == {
        "loss": Entry("loss", "1.5", "3.5", "+2", False),
        "token accuracy": Entry("token accuracy", "75.0%", "75.0%"),
        "rows": Entry("rows", "1", "1"),
        "loss, with_input=yes": Entry("loss, with_input=yes", "1.5", "3.5", "+2", False),
        "token accuracy, with_input=yes": Entry("token accuracy, with_input=yes", "75.0%", "75.0%"),
    }


def test_outcome_data_and_sizes_are_compared(comparison: Comparison) -> None:
    outcome = entries(comparison, "Outcome")
    assert (outcome["outcome"].first, outcome["outcome"].second) == (
        "Published as v20261122-010304",
        "Not blessed, so not published",
    )
    assert outcome["reasons"].second == "loss is 3.5, and must be at most 2.5"
    data = entries(comparison, "Data")
    assert (data["train rows"].first, data["train rows"].second) == ("3", "2")
    assert data["data hash"].differs
    assert not data["source"].differs
    assert entries(comparison, "Size of the exports")["SavedModel"] == Entry("SavedModel", "2.0 KiB", "2.0 KiB")


def test_the_text_marks_what_differs(comparison: Comparison) -> None:
    lines = comparison_text(comparison).splitlines()

    assert lines[0].split() == [RUN, LATER, "change"]
    assert [line.split() for line in lines if "learning_rate" in line] == [
        ["*", "training.learning_rate", "0.002", "0.5"]
    ]
    assert [line.split() for line in lines if line.startswith("*  loss ")] == [["*", "loss", "1.5", "3.5", "+2"]]
    assert "   9 more are the same." in lines


def test_a_run_compared_with_itself_has_no_difference(comparison: Comparison) -> None:
    itself = compare(comparison.first, comparison.first)

    assert [entry.name for part in itself.parts for entry in part.entries if entry.differs or entry.change] == []
