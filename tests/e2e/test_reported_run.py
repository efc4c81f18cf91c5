"""The page about a run, made by the run itself and made anew afterwards."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tfx.types import Artifact, standard_artifacts

from modules.record import Record
from modules.training_record import TrainingRecord
from pipeline.components.answer_quality.record import AnswerRecord
from pipeline.components.data_gate.record import DataRecord
from pipeline.components.evaluator.record import EvaluationRecord
from pipeline.components.hf_pusher.findings import read_findings
from pipeline.components.hf_pusher.record import PublicationRecord
from pipeline.components.serving_proof.record import ProofRecord
from pipeline.local.dag_runner import NodeRun
from pipeline.local.results import result_of
from pipeline.report.command import main
from pipeline.report.reading.run import read_facts
from pipeline.report.store import find_run, stores
from publishing.card.facts import Findings
from tests.e2e.conftest import Finished, Place

pytestmark = pytest.mark.e2e
# Component, key and folder of every record.
RECORDS: list[tuple[str, str, str, type[Record]]] = [
    ("DataGate", "blessing", "", DataRecord),
    ("Trainer", "model", "exports", TrainingRecord),
    ("AnswerQuality", "answers", "", AnswerRecord),
    ("Evaluator", "evaluation", "", EvaluationRecord),
    ("ServingProof", "blessing", "", ProofRecord),
    ("HFPusher", "pushed_model", "", PublicationRecord),
]
# What TFX's own components and TensorBoard leave in formats of their own.
FORMATS_OF_OTHERS = ("FeatureStats.pb", "SchemaDiff.pb", "events.out.tfevents.*")
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
    assert facts.recorded.seconds is not None
    assert facts.recorded.seconds > facts.seconds > 0
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


@pytest.mark.parametrize(("node_id", "key", "folder", "kind"), RECORDS)
def test_every_component_leaves_a_record_that_validates(
    first_run: Finished, place: Place, node_id: str, key: str, folder: str, kind: type[Record]
) -> None:
    assert first_run.status == 0, first_run.err

    found = kind.read(artifact_folder(place, node_id, key) / folder)

    assert type(found).parse(found.render(), path=kind.FILE) == found


def test_report_card_and_terminal_are_made_from_records_alone(
    first_run: Finished, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert first_run.status == 0, first_run.err
    (page,) = (Path(line.split()[1]) for line in first_run.out.splitlines() if line.startswith("  report "))
    before, findings = page.read_text(encoding="utf-8"), findings_of(place)

    with only_records(place.root, tmp_path) as blanked:
        assert blanked > 20
        assert main(["show", "--output-dir", str(place.output), "--run", page.parent.name], {}) == 0
        assert page.read_text(encoding="utf-8") == before
        assert findings_of(place) == findings
        for node_id, key, _, _ in RECORDS:
            words = result_of(NodeRun(node_id, False, 0.0, {key: [artifact(place, node_id, key)]}))
            assert f"  {words}\n" in first_run.out

    assert findings.slices != ()
    assert findings.statistics != ()


def artifact_folder(place: Place, node_id: str, key: str) -> Path:
    """The folder of the first run's artifact."""
    return min((place.root / node_id / key).iterdir(), key=lambda path: int(path.name))


def artifact(place: Place, node_id: str, key: str) -> Artifact:
    found = standard_artifacts.ExampleStatistics()  # any type that has splits
    found.uri = str(artifact_folder(place, node_id, key))
    found.split_names = '["train", "eval"]'
    return found


def findings_of(place: Place) -> Findings:
    keys = {"evaluation": ("Evaluator", "evaluation"), "statistics": ("StatisticsGen", "statistics")}
    keys["data_blessing"] = ("DataGate", "blessing")
    return read_findings({name: [artifact(place, *of)] for name, of in keys.items()})


@contextmanager
def only_records(root: Path, aside: Path) -> Iterator[int]:
    """Every other file is as long as before, and holds nothing; yields how many they are."""
    kept = {kind.FILE for *_, kind in RECORDS}
    others = [
        path
        for path in root.rglob("*")
        if path.is_file() and path.name not in kept and not any(map(path.match, FORMATS_OF_OTHERS))
    ]
    for path in others:
        copy = aside / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, copy)
        path.touch()
        os.truncate(path, copy.stat().st_size)
    try:
        yield len(others)
    finally:
        for path in others:
            shutil.move(aside / path.relative_to(root), path)
