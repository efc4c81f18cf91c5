from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx import types
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from hub import server
from pipeline.components.data_gate.artifact import DataBlessing
from pipeline.components.data_gate.record import DataRecord
from pipeline.components.evaluator.record import EvaluationRecord
from pipeline.components.hf_pusher.component import HFPusher
from pipeline.components.hf_pusher.executor import Executor
from pipeline.components.hf_pusher.fingerprint import publication_fingerprint
from publishing.connection import read_token
from publishing.errors import TokenError
from publishing.settings import PublishSettings
from tests.publishing.publications import REPO_ID, SPACE_REPO_ID, TEMPLATE, TOKEN, hub_at


@pytest.fixture
def remote(tmp_path: Path, direct_client: None) -> Iterator[str]:
    """A Hub that is not the embedded one, as far as the component knows."""
    with server.running(tmp_path / "remote", port=0) as address:
        yield address


def test_a_pipeline_publishes_to_the_embedded_hub_and_serves_the_second_run_from_cache(
    model_folder: Path, tmp_path: Path
) -> None:
    for expected_states in (["COMPLETE"], ["COMPLETE", "CACHED"]):
        LocalDagRunner().run(_pipeline(tmp_path, model_folder))
        assert _states(tmp_path) == expected_states

    record = json.loads(next((tmp_path / "tfx").rglob("publication.json")).read_text())
    with server.running(tmp_path / "hub", port=0) as address:
        hub = hub_at(address)
        assert hub.branches(REPO_ID, repo_type="model")[record["revision"]] == record["commit"]
        assert hub.api.space_info(SPACE_REPO_ID).sha == record["space_commit"]
    assert record["pushed"] == 1
    assert record["files"]["ctranslate2/model.bin"]["size"] > 0


def test_the_marked_token_is_in_nothing_that_a_publication_leaves(
    model_folder: Path,
    tmp_path: Path,
    remote: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MARKED_TOKEN", TOKEN)
    with caplog.at_level(logging.DEBUG):
        LocalDagRunner().run(_pipeline(tmp_path, model_folder, endpoint=remote, token_env="MARKED_TOKEN"))

    assert next((tmp_path / "tfx").rglob("publication.json")).is_file()
    assert "MARKED_TOKEN" in (tmp_path / "metadata.db").read_bytes().decode(errors="replace")
    written = [path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert written == []
    assert TOKEN not in caplog.text
    output = capfd.readouterr()
    assert TOKEN not in output.out + output.err


def test_the_outcome_is_recorded_on_the_pushed_model(model_folder: Path, tmp_path: Path) -> None:
    pushed = _execute(model_folder, tmp_path)

    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_int_custom_property("already_published") == 0
    assert pushed.get_string_custom_property("repo_id") == REPO_ID
    assert pushed.get_string_custom_property("revision").startswith("v20")
    assert len(pushed.get_string_custom_property("commit")) == 40
    assert pushed.get_string_custom_property("pushed_version") == pushed.get_string_custom_property("revision")
    assert pushed.get_string_custom_property("space_url").endswith(f"/spaces/{SPACE_REPO_ID}")
    again = _execute(model_folder, tmp_path)
    assert again.get_int_custom_property("already_published") == 1
    assert again.get_string_custom_property("commit") == pushed.get_string_custom_property("commit")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("model_blessing", "the evaluation did not bless the model"),
        ("infra_blessing", "the model did not pass infrastructure validation"),
    ],
)
def test_a_model_that_is_not_blessed_is_recorded_as_not_pushed_and_nothing_is_sent(
    model_folder: Path, tmp_path: Path, kind: str, reason: str
) -> None:
    pushed = _execute(model_folder, tmp_path, **{kind: 0})

    assert pushed.get_int_custom_property("pushed") == 0
    assert pushed.get_string_custom_property("not_pushed_reason") == reason
    assert not (tmp_path / "hub").exists()


def test_a_blessed_model_is_pushed(model_folder: Path, tmp_path: Path) -> None:
    pushed = _execute(model_folder, tmp_path, model_blessing=1, infra_blessing=1)
    assert pushed.get_int_custom_property("pushed") == 1


def test_what_other_components_found_is_on_the_card_and_a_second_run_finds_it_published(
    model_folder: Path, tmp_path: Path
) -> None:
    evaluation, statistics, blessing = findings(tmp_path)
    found = {"evaluation": [evaluation], "statistics": [statistics], "data_blessing": [blessing]}

    datasets = ("tatsu-lab/alpaca", "yahma/alpaca-cleaned")
    first = _execute(model_folder, tmp_path, found=found, datasets=datasets)
    report = Path(evaluation.uri) / "report.json"
    changed = {"seconds": 99.0, "baseline": {"id": 7, "uri": "/models/7"}}
    report.write_text(json.dumps(json.loads(report.read_text()) | changed))
    again = _execute(model_folder, tmp_path, found=found, datasets=datasets)

    with server.running(tmp_path / "hub", port=0) as address:
        card = hub_at(address).read_file(REPO_ID, path="README.md", commit="main").decode()
    assert "| all | 207 | 0.5 |\n| with_input=yes | 90 | 0.25 |" in card
    assert "| train | 7 |" in card
    assert "- skew: the evaluation rows are shorter" in card
    assert "datasets:\n- tatsu-lab/alpaca\n- yahma/alpaca-cleaned\n" in card
    assert again.get_int_custom_property("already_published") == 1
    assert again.get_string_custom_property("commit") == first.get_string_custom_property("commit")


def test_licence_and_data_sets_are_those_that_the_gate_recorded_unless_told(
    model_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, _, blessing = findings(tmp_path)
    report = Path(blessing.uri) / "report.json"
    dataset = {"license": "cc-by-nc-4.0", "datasets": ["tatsu-lab/alpaca"]}
    report.write_text(json.dumps({"rows": {"train": 7}, "dataset": dataset}))

    _execute(model_folder, tmp_path, found={"data_blessing": [blessing]}, license=None)
    with server.running(tmp_path / "hub", port=0) as address:
        card = hub_at(address).read_file(REPO_ID, path="README.md", commit="main").decode()
    assert "license: cc-by-nc-4.0\n" in card
    assert "datasets:\n- tatsu-lab/alpaca\n" in card
    assert "claims no licence" not in caplog.text

    _execute(model_folder, tmp_path, license=None)
    with server.running(tmp_path / "hub", port=0) as address:
        card = hub_at(address).read_file(REPO_ID, path="README.md", commit="main").decode()
    assert "\nlicense:" not in card
    assert "No licence is claimed" in card
    assert "The model card claims no licence: the data came without one, and publish.license is not set." in caplog.text


def test_a_missing_token_is_named_by_its_variable(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(TokenError, match=r"the environment variable HF_TOKEN is empty\. Set HF_TOKEN, or publish"):
        _execute(model_folder, tmp_path, endpoint="https://hub.invalid")


def test_a_token_is_not_sent_unencrypted() -> None:
    environment = {"HF_TOKEN": f" {TOKEN}\n"}
    with pytest.raises(TokenError, match="travels over https only") as caught:
        read_token(environment, name="HF_TOKEN", endpoint="http://hub.example")
    assert TOKEN not in str(caught.value)
    assert read_token(environment, name="HF_TOKEN", endpoint="https://hub.example") == TOKEN
    assert read_token(environment, name="HF_TOKEN", endpoint="http://127.0.0.1:8642") == TOKEN


def test_the_component_refuses_parameters_that_cannot_work() -> None:
    model = types.Channel(type=standard_artifacts.Model)
    with pytest.raises(ValueError, match="The embedded Hub needs a folder"):
        HFPusher(model=model, settings=PublishSettings(repo_id="a/b", endpoint="local"))
    with pytest.raises(ValueError, match="A Space needs a template folder"):
        HFPusher(model=model, settings=PublishSettings(repo_id="a/b", endpoint="https://hub", space_repo_id="a/c"))


def test_a_model_a_repository_and_an_address_are_enough() -> None:
    settings = PublishSettings(repo_id="me/model", endpoint="https://hub")
    pusher = HFPusher(model=types.Channel(type=standard_artifacts.Model), settings=settings)
    assert list(pusher.outputs) == ["pushed_model"]


def test_the_settings_are_one_parameter_that_reads_back_as_they_were(tmp_path: Path) -> None:
    settings = _settings(tmp_path, space_values={"COLOUR": "blue"}, exports=("keras", "ctranslate2"))
    pusher = HFPusher(model=types.Channel(type=standard_artifacts.Model), settings=settings)

    assert pusher.exec_properties.keys() == {"settings", "fingerprint"}
    assert PublishSettings.model_validate_json(pusher.exec_properties["settings"]) == settings
    assert json.loads(pusher.exec_properties["settings"])["repo_id"] == REPO_ID, "readable in the metadata store"


def test_the_fingerprint_changes_with_the_template_alone(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("1")
    first = publication_fingerprint(tmp_path)
    assert publication_fingerprint(tmp_path) == first
    (tmp_path / "app.py").write_text("2")
    assert len({first, publication_fingerprint(tmp_path), publication_fingerprint()}) == 3


def findings(folder: Path) -> tuple[types.Artifact, types.Artifact, types.Artifact]:
    """What Evaluator, StatisticsGen and DataGate leave."""
    evaluation, statistics = standard_artifacts.ModelEvaluation(), standard_artifacts.ExampleStatistics()
    blessing = DataBlessing()
    for artifact, name in ((evaluation, "evaluation"), (statistics, "statistics"), (blessing, "blessing")):
        artifact.uri = str(folder / name)
        Path(artifact.uri).mkdir()
    rows = [
        {"slice": {}, "candidate": {"rows": 207.0, "loss": 0.5}},
        {"slice": {"with_input": "yes"}, "candidate": {"rows": 90.0, "loss": 0.25}},
    ]
    EvaluationRecord.model_validate({"blessed": True, "slices": rows, "seconds": 1.0}).write(evaluation.uri)
    allowed = [{"name": "skew", "words": "the evaluation rows are shorter", "examples": []}]
    DataRecord.model_validate({"rows": {"train": 7}, "allowed": allowed}).write(blessing.uri)
    statistics.split_names = '["train"]'
    split = folder / "statistics" / "Split-train"
    split.mkdir()
    content = statistics_pb2.DatasetFeatureStatisticsList()
    content.datasets.add(num_examples=7)
    (split / "FeatureStats.pb").write_bytes(content.SerializeToString())
    return evaluation, statistics, blessing


def _pipeline(folder: Path, model_folder: Path, **parameters: Any) -> Pipeline:
    importer = Importer(source_uri=str(model_folder), artifact_type=standard_artifacts.Model).with_id("model")
    pusher = HFPusher(model=importer.outputs["result"], settings=_settings(folder, **parameters))
    return Pipeline(
        pipeline_name="publish",
        pipeline_root=str(folder / "tfx"),
        components=[importer, pusher],
        enable_cache=True,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(folder / "metadata.db")),
    )


def _settings(folder: Path, **changes: Any) -> PublishSettings:
    fields: dict[str, Any] = {
        "repo_id": REPO_ID,
        "space_repo_id": SPACE_REPO_ID,
        "space_template": str(TEMPLATE),
        "endpoint": "local",
        "storage_dir": str(folder / "hub"),
        "local_port": 0,
    }
    return PublishSettings(**fields | changes)


def _states(folder: Path) -> list[str]:
    """The states of HFPusher's executions, in order."""
    from ml_metadata.proto import metadata_store_pb2

    with metadata.Metadata(metadata.sqlite_metadata_connection_config(str(folder / "metadata.db"))) as handler:
        executions = [item for item in handler.store.get_executions() if _type(handler, item).endswith("HFPusher")]
        state = metadata_store_pb2.Execution.State
        return [state.Name(item.last_known_state) for item in sorted(executions, key=lambda item: item.id)]


def _type(handler: metadata.Metadata, execution: Any) -> str:
    return str(handler.store.get_execution_types_by_id([execution.type_id])[0].name)


def _execute(model_folder: Path, folder: Path, **changes: Any) -> types.Artifact:
    """Runs the executor alone and gives its `pushed_model`."""
    model, pushed = standard_artifacts.Model(), standard_artifacts.PushedModel()
    model.uri, pushed.uri = str(model_folder), str(folder / "pushed")
    inputs: dict[str, list[types.Artifact]] = {"model": [model], **changes.pop("found", {})}
    blessings = {
        "model_blessing": standard_artifacts.ModelBlessing,
        "infra_blessing": standard_artifacts.InfraBlessing,
    }
    for key, kind in blessings.items():
        if key in changes:
            blessing = kind()
            blessing.set_int_custom_property("blessed", changes.pop(key))
            inputs[key] = [blessing]
    settings = _settings(folder, **{"license": "apache-2.0"} | changes)
    properties = {"settings": settings.model_dump_json(), "fingerprint": ""}
    Executor().Do(inputs, {"pushed_model": [pushed]}, properties)
    return pushed
