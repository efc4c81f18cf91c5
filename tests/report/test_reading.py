"""What is read of a run: every figure, and what is said of what is missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from modules.training_record import TrainingRecord
from pipeline.components.answer_quality.record import AnswerRecord
from pipeline.evaluation import judge, parse_all
from pipeline.layout import executor_folder
from pipeline.report.facts import AnswerFacts, ConditionFacts, Curve, FeatureFacts, RunFacts
from pipeline.report.reading.run import read_facts
from pipeline.report.store import find_run, stores
from tests.report.made_run import (
    COMPLETE,
    FAILED,
    GRAPH,
    ROWS,
    RUN,
    RUNNING,
    TRAINING,
    MadeStore,
    Settings,
    gate_record,
    make_run,
    write_curves,
    write_json,
    write_rows,
)


def facts_of(output: Path, run_id: str = RUN) -> RunFacts:
    return read_facts(find_run(stores(str(output)), run_id))


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> RunFacts:
    output = tmp_path_factory.mktemp("read")
    make_run(output, Settings(before=1.75))
    return facts_of(output)


def test_a_whole_run_lacks_nothing(facts: RunFacts) -> None:
    assert facts.missing == ()
    assert facts.outcome == "published"
    assert [(node.node_id, node.state) for node in facts.nodes] == [(node_id, "done") for node_id in GRAPH]
    assert ("DataGate", "Trainer") in facts.edges  # no artifact passes: only the recorded graph knows


def test_rows_are_described_by_their_statistics_and_lengths(facts: RunFacts) -> None:
    assert facts.data is not None
    train, evaluation = facts.data.splits
    assert (train.name, train.rows, evaluation.name, evaluation.rows) == ("train", 3, "eval", 1)
    others = tuple((bound, 0) for bound in (20, 50, 100, 200, 500, 1000, 2000, 5000, 10000))
    assert train.features[1] == FeatureFacts(
        name="input", rows=3, missing=0, blank=2, unique=3, mean_length=pytest.approx(8 / 3), longest=7,
        lengths=((0, 2), (10, 1), *others),
    )  # fmt: skip
    assert facts.data.measured == {"train rows: longer than allowed": 0.0}


def test_the_data_hash_is_of_the_rows_whatever_their_order_and_files(tmp_path: Path) -> None:
    hashes = []
    turned = {"train": ROWS["train"][::-1], "eval": ROWS["eval"]}
    changed = {"train": ROWS["train"][1:], "eval": ROWS["eval"]}
    for name, rows in (("first", ROWS), ("turned", turned), ("changed", changed)):
        make_run(tmp_path / name, Settings(rows=rows))
        found = facts_of(tmp_path / name).data
        assert found is not None
        hashes.append(found.content_hash)

    assert hashes[0] == hashes[1] != hashes[2]


def test_curves_come_from_tensorboards_events(facts: RunFacts) -> None:
    assert facts.training is not None
    assert set(facts.training.loss) == {
        Curve("training loss", ((1.0, 4.0), (2.0, 3.0), (4.0, 1.25))),
        Curve("evaluation loss", ((2.0, 3.5), (4.0, 1.5))),
    }
    (rate,) = facts.training.learning_rate
    assert rate == Curve("learning rate", ((1.0, pytest.approx(0.002)), (4.0, 0.0)))


def test_keras_own_events_are_spread_over_the_steps(tmp_path: Path) -> None:
    made = make_run(tmp_path)
    folder = made.root / RUN / "curves"
    shutil.rmtree(folder)
    write_curves(folder, {"train/epoch_loss": [(1, 4.0), (3, 2.0)], "train/batch_loss": [(1, 5.0), (4, 2.0)]})

    training = facts_of(tmp_path).training

    assert training is not None
    assert training.loss == (
        Curve("training loss, mean since its epoch began", ((1.0, 5.0), (4.0, 2.0))),
        Curve("training loss, mean of each epoch", ((2.0, 4.0), (4.0, 2.0))),
    )


def test_every_threshold_is_told_with_its_figures(facts: RunFacts) -> None:
    assert facts.evaluation is not None
    assert facts.evaluation.conditions == (
        ConditionFacts("loss", "", "at most 2.5", 1.5, None, True),
        ConditionFacts("token_accuracy", "", "at most 0.01 less than before", 0.75, 0.75, True),
    )


def test_without_a_baseline_a_change_is_neither_held_nor_broken(tmp_path: Path) -> None:
    make_run(tmp_path)

    evaluation = facts_of(tmp_path).evaluation

    assert evaluation is not None
    assert [condition.passed for condition in evaluation.conditions] == [True, None]


def test_samples_stand_beside_what_was_expected(facts: RunFacts) -> None:
    assert facts.answers == (AnswerFacts("Add them.\n\n2 and 2", "4", "4 ", None),)
    assert facts.answers[0].exact is True


def test_answers_of_the_last_blessed_model_come_from_its_own_report(tmp_path: Path) -> None:
    made = make_run(tmp_path, Settings(before=1.75))
    report = made.root / RUN / "evaluation" / "report.json"
    evaluated = json.loads(report.read_text(encoding="utf-8"))
    write_json(report, evaluated | {"baseline": {"id": 1, "uri": str(tmp_path / "before")}})
    sample = TRAINING["samples"][0] | {"response": "5"}  # type: ignore[index]
    write_json(tmp_path / "before" / "exports" / "training.json", {"samples": [sample]})

    assert [answer.baseline for answer in facts_of(tmp_path).answers] == ["5"]


def test_asked_answers_take_the_place_of_the_trainers_samples(tmp_path: Path) -> None:
    made = make_run(tmp_path)
    answer: dict[str, Any] = {"instruction": "Name a colour.", "input": "", "expected": "red"}
    answer["candidate"] = {"text": "blue", "stopped": True}
    figures, before = {"exact_match": 0.0, "rouge_l": 0.25}, {"exact_match": 1.0, "rouge_l": 1.0}
    asked = [*parse_all(["rouge_l>=0.2"], is_change=False), *parse_all(["exact_match>=-0.5"], is_change=True)]
    verdicts = [verdict.as_dict() for verdict in judge(asked, {None: figures}, {None: before})]
    record = {
        "rows": 1, "seed": 42, "max_new_tokens": 8, "candidate": figures, "baseline": before, "conditions": verdicts,
        "answers": [answer | {"baseline": {"text": "red", "stopped": True}}],
    }  # fmt: skip
    AnswerRecord.model_validate(record).write(tmp_path / "answers")
    artifact = made.artifact("pipeline.AnswerSample", tmp_path / "answers")
    made.execute(RUN, "AnswerQuality", outputs={"answers": artifact})

    found = facts_of(tmp_path)

    assert found.answers == (AnswerFacts("Name a colour.", "red", "blue", "red"),)
    assert found.quality is not None
    assert found.quality.candidate == figures
    assert found.quality.conditions == (
        ConditionFacts("rouge_l", "", "at least 0.2", 0.25, None, True),
        ConditionFacts("exact_match", "", "at most 0.5 less than before", 0.0, 1.0, False),
    )


def test_exports_and_publication_are_told_file_by_file(facts: RunFacts) -> None:
    assert [(export.name, export.size) for export in facts.exports] == [("SavedModel", 2048), ("Transformers", 1024)]
    assert facts.publication is not None
    assert facts.publication.record.revision == "v20261122-010304"
    assert [(file.path, file.size) for file in facts.publication.files] == [("README.md", 512)]


def test_settings_are_what_the_components_were_told(facts: RunFacts) -> None:
    assert facts.settings == {
        "profile": "quickstart",
        "data.path": "data/sample",
        "data.allow_anomalies": "skew, drift",
        "data.max_overlong": "0.01",
        "training.learning_rate": "0.002",
        "training.max_steps": "none",
        "publish.private": "False",
        "publish.repo_id": "local/tiny",
        "evaluation.loss": "at most 2.5",
        "evaluation.token_accuracy": "at most 0.01 less than before",
    }
    assert facts.code == {"Trainer": "abc"}


def test_missing_artifacts_are_said_and_the_rest_is_there(tmp_path: Path) -> None:
    made = make_run(tmp_path)
    for name in ("rows", "model", "evaluation"):
        shutil.rmtree(made.root / RUN / name)

    found = facts_of(tmp_path)

    files = made.root / RUN
    assert set(found.missing) == {
        f"Trainer's model is gone: {files}/model",
        f"Evaluator's evaluation is gone: {files}/evaluation",
    }
    assert found.evaluation is None
    assert found.exports == ()
    assert found.training is not None
    assert len(found.training.loss) == 2
    assert found.data is not None
    assert (found.data.content_hash, found.data.splits[0].rows) == (gate_record().content_hash, 3)


def test_without_the_gates_record_only_the_statistics_are_told(tmp_path: Path) -> None:
    made = make_run(tmp_path)
    shutil.rmtree(made.root / RUN / "gate")

    found = facts_of(tmp_path)

    assert found.missing == (f"DataGate's blessing is gone: {made.root / RUN}/gate",)
    assert found.data is not None
    assert (found.data.content_hash, found.data.splits[0].rows) == (None, 3)
    assert (found.data.splits[0].features[0].longest, found.data.splits[0].features[0].lengths) == (None, ())


def test_of_rows_that_the_gate_refused_its_record_is_read_too(tmp_path: Path) -> None:
    made = make_run(tmp_path)
    made.execute("refused", "ImportExampleGen", properties={"input_base": "data/sample"})
    refused = made.execute("refused", "DataGate", state=FAILED)
    made.record("refused", failure="The data are not fit for training: length.")
    record = gate_record().model_copy(update={"problems": ("length",), "notes": ("skew was not looked at",)})
    record.write(executor_folder(made.root, "DataGate", refused))

    found = facts_of(tmp_path, "refused").data

    assert found is not None
    assert found.findings == ("The data are not fit for training: length.",)
    assert (found.content_hash, found.notes) == (record.content_hash, ("skew was not looked at",))


def test_a_record_of_a_newer_version_is_said(tmp_path: Path) -> None:
    made = make_run(tmp_path)
    path = made.root / RUN / "evaluation" / "report.json"
    write_json(path, json.loads(path.read_text(encoding="utf-8")) | {"format": 2})

    found = facts_of(tmp_path)

    assert (found.evaluation, found.missing) == (None, (f"{path} has format 2.",))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("{", "is not readable as JSON"),
        ("[]", "holds no JSON object, but a list"),
    ],
)
def test_a_damaged_report_is_said(tmp_path: Path, damage: str, said: str) -> None:
    made = make_run(tmp_path)
    path = made.root / RUN / "evaluation" / "report.json"
    path.write_text(damage, encoding="utf-8")

    found = facts_of(tmp_path)

    assert found.evaluation is None
    (note,) = found.missing
    assert note.startswith(f"{path} {said}")


def test_damaged_events_give_the_curve_up_to_the_damage(tmp_path: Path) -> None:
    made = make_run(tmp_path)
    path = made.root / RUN / "curves" / "train" / "events.out.tfevents.1.host.loss"
    path.write_bytes(path.read_bytes()[:-5])

    found = facts_of(tmp_path)

    assert found.training is not None
    assert Curve("training loss", ((1.0, 4.0), (2.0, 3.0))) in found.training.loss
    (note,) = found.missing
    assert note.startswith(f"{path} is cut")


def test_an_older_pipeline_without_evaluator_and_gate_is_read_too(tmp_path: Path) -> None:
    made = MadeStore(tmp_path)
    rows = made.artifact("Examples", write_rows(tmp_path / "rows"))
    made.execute(RUN, "ImportExampleGen", outputs={"examples": rows})
    TrainingRecord.model_validate(TRAINING).write(tmp_path / "model" / "exports")
    model = made.artifact("Model", tmp_path / "model")
    made.execute(
        RUN, "Trainer", inputs={"examples": rows}, outputs={"model": model}, properties={"custom_config": "{}"}
    )

    found = facts_of(tmp_path)

    assert found.outcome == "finished"
    assert found.edges == (("ImportExampleGen", "Trainer"),)
    assert (found.evaluation, found.publication, found.quality, found.proof) == (None, None, None, ())
    assert found.missing == ("Trainer recorded no artifact 'model_run'.",)
    assert found.versions == {"tfx": "1.21.0"}


@pytest.mark.parametrize(
    ("state", "recorded", "shown"),
    [
        (FAILED, {"failure": "The disk is full."}, "failed"),
        (RUNNING, {"failure": "The loss is not finite."}, "failed"),
        (RUNNING, {"failure": "Interrupted.", "interrupted": True}, "interrupted"),
        (RUNNING, {}, "killed"),
        (FAILED, {}, "failed"),
    ],
)
def test_a_run_that_broke_off_tells_how_far_it_came(
    tmp_path: Path, state: Any, recorded: dict[str, Any], shown: str
) -> None:
    made = MadeStore(tmp_path)
    made.execute(RUN, "ImportExampleGen", state=COMPLETE)
    made.execute(RUN, "StatisticsGen", state=state)
    if recorded:
        made.record(RUN, graph=GRAPH, **recorded)

    found = facts_of(tmp_path)

    reached = [(node.node_id, node.state) for node in found.nodes if node.state != "not reached"]
    assert reached == [("ImportExampleGen", "done"), ("StatisticsGen", shown)]
    assert found.outcome == shown
    assert [node.node_id for node in found.nodes if node.state == "not reached"] == (
        ["ExampleValidator", "DataGate", "Trainer", "Evaluator", "HFPusher"] if recorded else []
    )
