"""The page about a run, made by the run itself and made anew afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.report.command import main
from pipeline.report.reading.run import read_facts
from pipeline.report.store import find_run, stores
from tests.e2e.conftest import Finished, Place

pytestmark = pytest.mark.e2e
PICTURES = {
    "dag",
    "lengths_instruction",
    "lengths_input",
    "lengths_output",
    "loss",
    "learning_rate",
    "slices",
    "exports",
}


def test_a_run_leaves_a_page_with_all_its_parts(first_run: Finished, place: Place) -> None:
    assert first_run.status == 0, first_run.err
    (line,) = (line for line in first_run.out.splitlines() if line.startswith("  report "))
    page = Path(line.split()[1])

    run_id = page.parent.name
    assert page == place.output / "reports" / run_id / "index.html"
    assert {path.stem for path in page.parent.glob("*.png")} == PICTURES
    facts = read_facts(find_run(stores(str(place.output)), run_id))
    assert facts.missing == ()
    assert facts.outcome == "published"
    assert {node.state for node in facts.nodes} == {"done"}
    assert ("DataGate", "Transform") in facts.edges
    assert facts.recorded["seconds"] > facts.seconds > 0
    assert facts.evaluation is not None
    assert {condition.metric for condition in facts.evaluation.conditions} == {"loss", "bits_per_byte"}
    assert len(facts.proof) >= 4
    assert {"python", "tfx", "keras", "tensorflow"} <= facts.versions.keys()


def test_the_page_is_made_anew_from_the_store(
    first_run: Finished, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert first_run.status == 0, first_run.err
    (page,) = (Path(line.split()[1]) for line in first_run.out.splitlines() if line.startswith("  report "))
    before = page.read_text(encoding="utf-8")
    page.unlink()

    assert main(["show", "--output-dir", str(place.output), "--run", page.parent.name], {}) == 0

    assert capsys.readouterr().out == f"{page}\n"
    assert page.read_text(encoding="utf-8") == before
