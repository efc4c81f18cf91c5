"""The container's entrypoint: each of open-source Kubeflow's gaps, one by one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipeline.kubeflow.entrypoint import (
    local_copy,
    main,
    parse,
    restore_addresses,
    restore_properties,
    restore_types,
    use_local_copies,
    use_parameters,
)

STANDARD = "tfx.types.standard_artifacts"
EXAMPLES = {"inputs": {"examples": f"{STANDARD}.Examples"}, "outputs": {}}


def invocation(**content: Any) -> Any:
    """An ExecutorInput; keyword arguments are its JSON fields."""
    return json_format.ParseDict(content, pipeline_spec_pb2.ExecutorInput())


def with_input(key: str, **artifact: Any) -> Any:
    return invocation(inputs={"artifacts": {key: {"artifacts": [artifact]}}})


def only_input(message: Any) -> Any:
    (listed,) = message.inputs.artifacts.values()
    return listed.artifacts[0]


def metadata(message: Any) -> dict[str, Any]:
    return json_format.MessageToDict(only_input(message).metadata)


# ------------------------------------------------------------------------------------------------------ Types


@pytest.mark.parametrize(
    "received",
    [
        {},  # no type at all: TFX would parse None as YAML
        {"type": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}},  # TFX would import system.Dataset
        {"type": {"instanceSchema": ""}},
        {"type": {"instanceSchema": "title: tfx.Examples\ntype: object\n"}},
    ],
)
def test_an_artifact_of_any_type_becomes_tfxs_own(received: dict[str, Any]) -> None:
    from tfx.orchestration.kubeflow.v2.container.kubeflow_v2_entrypoint_utils import parse_raw_artifact_dict
    from tfx.types.standard_artifacts import Examples

    message = with_input("examples", uri="/rows", **received)

    restore_types(message, EXAMPLES)

    parsed = parse_raw_artifact_dict(message.inputs.artifacts)
    assert [type(artifact) for artifact in parsed["examples"]] == [Examples]


def test_a_type_of_the_project_is_found_too() -> None:
    from tfx.orchestration.kubeflow.v2.container.kubeflow_v2_entrypoint_utils import parse_raw_artifact_dict

    from pipeline.components.data_gate.component import DataBlessing

    message = with_input("blessing", uri="/blessing")

    restore_types(
        message, {"inputs": {"blessing": "pipeline.components.data_gate.component.DataBlessing"}, "outputs": {}}
    )

    parsed = parse_raw_artifact_dict(message.inputs.artifacts)
    assert [type(artifact) for artifact in parsed["blessing"]] == [DataBlessing]


def test_an_artifact_that_the_arguments_do_not_name_keeps_its_type() -> None:
    message = with_input("other", uri="/x", type={"schemaTitle": "system.Model"})

    restore_types(message, EXAMPLES)

    assert only_input(message).type.schema_title == "system.Model"


# ------------------------------------------------------------------------------------------------- Properties


def test_missing_splits_are_read_off_the_folders(tmp_path: Path) -> None:
    for split in ("train", "eval"):
        (tmp_path / f"Split-{split}").mkdir()
    message = with_input("examples", uri=str(tmp_path))

    restore_properties(message, EXAMPLES)

    assert metadata(message) == {"split_names": '["eval", "train"]'}


def test_known_splits_are_kept(tmp_path: Path) -> None:
    message = with_input("examples", uri=str(tmp_path), metadata={"split_names": '["train"]', "span": 3})

    restore_properties(message, EXAMPLES)

    assert metadata(message) == {"split_names": '["train"]', "span": 3.0}


@pytest.mark.parametrize(
    ("kind", "file", "blessed"),
    [
        ("ModelBlessing", "BLESSED", 1.0),
        ("ModelBlessing", "NOT_BLESSED", 0.0),
        ("ModelBlessing", "something", 0.0),
        ("InfraBlessing", "INFRA_BLESSED", 1.0),
        ("InfraBlessing", "INFRA_NOT_BLESSED", 0.0),
    ],
)
def test_a_missing_verdict_is_read_off_the_files(tmp_path: Path, kind: str, file: str, blessed: float) -> None:
    (tmp_path / file).touch()
    message = with_input("blessing", uri=str(tmp_path))

    restore_properties(message, {"inputs": {"blessing": f"{STANDARD}.{kind}"}, "outputs": {}})

    assert metadata(message) == {"blessed": blessed}


def test_a_known_verdict_is_kept(tmp_path: Path) -> None:
    (tmp_path / "BLESSED").touch()
    message = with_input("blessing", uri=str(tmp_path), metadata={"blessed": 0})

    restore_properties(message, {"inputs": {"blessing": f"{STANDARD}.ModelBlessing"}, "outputs": {}})

    assert metadata(message) == {"blessed": 0.0}


# -------------------------------------------------------------------------------------------------- Addresses


@pytest.mark.parametrize(("scheme", "folder"), [("gs", "gcs"), ("minio", "minio"), ("s3", "s3")])
def test_an_artifact_is_where_the_launcher_put_it(tmp_path: Path, scheme: str, folder: str) -> None:
    (tmp_path / folder).mkdir()

    assert local_copy(f"{scheme}://bucket/a/b", tmp_path) == str(tmp_path / folder / "bucket/a/b")


@pytest.mark.parametrize("address", ["gs://bucket/a", "hdfs://host/a", "/plain/path"])
def test_an_address_that_the_launcher_did_not_copy_is_left_alone(tmp_path: Path, address: str) -> None:
    assert local_copy(address, tmp_path) == address


def test_the_report_names_the_stores_addresses_again(tmp_path: Path) -> None:
    (tmp_path / "s3").mkdir()
    message = invocation(outputs={"artifacts": {"model": {"artifacts": [{"uri": "s3://bucket/model"}]}}})
    addresses = use_local_copies(message, tmp_path)
    report = tmp_path / "output_metadata.json"
    local = message.outputs.artifacts["model"].artifacts[0].uri
    report.write_text(json.dumps({"artifacts": {"model": {"artifacts": [{"uri": local, "metadata": {"a": 1}}]}}}))

    restore_addresses(report, addresses)

    assert local == str(tmp_path / "s3/bucket/model")
    assert json.loads(report.read_text()) == {
        "artifacts": {"model": {"artifacts": [{"uri": "s3://bucket/model", "metadata": {"a": 1}}]}}
    }


# ------------------------------------------------------------------------------------------------- Parameters


def test_the_parameters_of_a_run_do_not_reach_tfx_as_unknown_ones() -> None:
    from pipeline.config import PipelineConfig

    groups = PipelineConfig().model_dump(mode="json", include={"model", "training", "generation"})
    message = invocation(
        inputs={"parameterValues": {"custom_config": json.dumps(groups), "run_fn": "f", "training__seed": 7}}
    )

    use_parameters(message)

    given = message.inputs.parameter_values
    assert set(given) == {"custom_config", "run_fn"}
    assert json.loads(given["custom_config"].string_value)["training"]["seed"] == 7


# ---------------------------------------------------------------------------------------- Command and the end


def test_what_the_entrypoint_does_not_know_is_beams() -> None:
    args, beam = parse(
        ["--executor_class_path", "a.B", "--json_serialized_invocation_args", "{}", "--runner=FlinkRunner"]
    )

    assert (args.executor_class_path, args.resolve_span, beam) == ("a.B", False, ["--runner=FlinkRunner"])


def test_a_known_error_is_the_last_line_and_the_status_is_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    values = {
        "input_base": str(tmp_path / "rows"),
        "input_config": "{}",
    }
    message = {"inputs": {"parameterValues": values}, "outputs": {"outputFile": str(tmp_path / "out.json")}}

    status = main(
        [
            *("--executor_class_path", "tests.kubeflow.test_entrypoint.Refusing"),
            *("--json_serialized_invocation_args", json.dumps(message)),
        ],
        {},
    )

    assert status == 1
    assert capsys.readouterr().err.endswith("\nRows must be good. Received: bad ones.\n")


def test_an_abort_while_the_interpreter_shuts_down_does_not_fail_the_pod() -> None:
    # What native threads do to the interpreter there, a handler of ours does here.
    code = (
        "import atexit, os, sys; atexit.register(os.abort); "
        "from pipeline.kubeflow.entrypoint import end; sys.stdout.write('done'); end({status})"
    )

    ended = [
        subprocess.run([sys.executable, "-c", code.format(status=status)], capture_output=True, text=True, timeout=60)
        for status in (0, 1)
    ]

    assert [process.returncode for process in ended] == [0, 1]
    assert [process.stdout for process in ended] == ["done", "done"]


class RefusedError(ValueError):
    user_message = True


class Refusing:
    """Stands for an executor that refuses its input."""

    def __init__(self, context: Any) -> None:
        raise RefusedError("Rows must be good. Received: bad ones.")
