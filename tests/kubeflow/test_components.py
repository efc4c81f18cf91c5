"""Components of the compiled pipeline, run in this process: with the types that Vertex AI and Kubeflow hand over, on
the newest span of the rows, and on a Beam job service."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from data.records import Example, write_record
from data.tfrecords import Row, write_examples
from modules.rows import read_rows
from pipeline.config.sources import load_config
from pipeline.kubeflow import entrypoint
from pipeline.kubeflow.compile import compile_pipeline, write_package
from tests.kubeflow.driver import REPOSITORY, Cluster, Form, TaskFailedError

pytestmark = pytest.mark.e2e


def in_this_process(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
    assert command[:3] == ["python", "-m", "pipeline.kubeflow.entrypoint"]
    return entrypoint.main(command[3:], environment), ""


def compiled(folder: Path, *flags: str) -> Path:
    config = load_config(["--kubeflow.project-folder", str(REPOSITORY), *flags], {})
    path = folder / "pipeline.yaml"
    write_package(compile_pipeline(config), path, command="")
    return path


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Two spans of rows."""
    for span, answer in ((1, "old"), (2, "new")):
        for split in ("train", "eval"):
            write_examples(tmp_path / "rows" / f"span-{span}" / f"{split}.tfrecord", [Row("Which span?", "", answer)])
    return tmp_path / "rows"


SPANS = ("--data.train-pattern", "span-{SPAN}/train*", "--data.eval-pattern", "span-{SPAN}/eval*")
UP_TO_STATISTICS = {"ImportExampleGen", "StatisticsGen"}
UP_TO_TRANSFORM = {*UP_TO_STATISTICS, "ImportSchemaGen", "ExampleValidator", "DataGate", "Transform"}


@pytest.mark.parametrize(("form", "types"), [("typed", "tfx"), ("system", "system"), ("bare", "system")])
def test_components_hand_on_artifacts_in_every_form(tmp_path: Path, rows: Path, form: Form, types: str) -> None:
    package = compiled(tmp_path, "--kubeflow.artifact-types", types, "--data.path", str(rows), *SPANS)
    cluster = Cluster(tmp_path, form=form, launch=in_this_process)

    tasks = cluster.run(package, only=UP_TO_STATISTICS)

    statistics = tasks["StatisticsGen"].outputs["statistics"]
    assert sorted(json.loads(statistics.metadata["split_names"])) == ["eval", "train"]
    assert sorted(path.name for path in cluster.stored(statistics).iterdir()) == ["Split-eval", "Split-train"]


def test_a_run_takes_the_newest_span(tmp_path: Path, rows: Path) -> None:
    import tensorflow as tf

    package = compiled(tmp_path, "--data.path", str(rows), *SPANS)
    cluster = Cluster(tmp_path, launch=in_this_process)

    examples = cluster.run(package, only={"ImportExampleGen"})["ImportExampleGen"].outputs["examples"]

    (file,) = (cluster.stored(examples) / "Split-train").iterdir()
    (record,) = tf.data.TFRecordDataset(str(file), compression_type="GZIP").as_numpy_iterator()
    assert examples.metadata["custom:span"] == 2
    assert tf.train.Example.FromString(record).features.feature["output"].bytes_list.value == [b"new"]


def test_rows_without_an_input_pass_every_check_and_what_is_known_of_them_reaches_the_gates_record(
    tmp_path: Path, rows: Path
) -> None:
    for path in rows.rglob("*.tfrecord"):
        path.write_bytes(b"")
        for number in range(3):
            append_record(path, instruction=f"Count {path.stem} {number}.", output=f"{number}")
    (rows / "dataset.json").write_text('{"license": "mit"}')
    (rows / "span-2" / "dataset.json").write_text('{"license": "cc-by-nc-4.0", "datasets": ["tatsu-lab/alpaca"]}')
    package = compiled(tmp_path, "--data.path", str(tmp_path / "elsewhere"), *SPANS)
    cluster = Cluster(tmp_path, launch=in_this_process)

    tasks = cluster.run(package, only=UP_TO_TRANSFORM, data__path=str(rows))

    report = json.loads((cluster.stored(tasks["DataGate"].outputs["blessing"]) / "report.json").read_text())
    assert report["rows"] == {"train": 3, "eval": 3}
    assert report["splits"]["train"]["with_input"] == 0.0
    assert report["dataset"] == {"license": "cc-by-nc-4.0", "datasets": ["tatsu-lab/alpaca"], "sources": []}
    prompts, _ = read_rows([f"{cluster.stored(tasks['Transform'].outputs['transformed_examples'])}/Split-train/*"])
    assert prompts == [f"### Instruction:\nCount train {number}.\n\n### Response:\n" for number in range(3)]


def append_record(path: Path, **texts: str) -> None:
    example = Example()
    for name, text in texts.items():
        example.features.feature[name].bytes_list.value.append(text.encode())
    with path.open("ab") as file:
        write_record(file, example.SerializeToString())


def test_rows_that_are_not_there_stop_the_component(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = compiled(tmp_path, "--kubeflow.parameters", "data.path")

    with pytest.raises(TaskFailedError, match="ImportExampleGen ended with status 1"):
        Cluster(tmp_path, launch=in_this_process).run(
            package, only={"ImportExampleGen"}, data__path=str(tmp_path / "nowhere")
        )

    assert "nowhere" in capsys.readouterr().err


def test_rows_are_processed_by_a_beam_job_service(tmp_path: Path, rows: Path) -> None:
    from apache_beam.portability.api import beam_job_api_pb2
    from apache_beam.runners.portability.local_job_service import LocalJobServicer

    service = LocalJobServicer()  # Beam's own, over gRPC
    port = service.start_grpc_server(0)
    package = compiled(
        tmp_path,
        *("--data.path", str(rows), *SPANS),
        *("--beam.runner", "portable"),
        *("--beam.arguments", f"--job_endpoint=localhost:{port} --environment_type=LOOPBACK"),
    )
    cluster = Cluster(tmp_path, launch=in_this_process)

    tasks = cluster.run(package, only=UP_TO_STATISTICS)

    states = [job.state for job in service._jobs.values()]
    service.stop()
    assert [beam_job_api_pb2.JobState.Enum.Name(state) for state in states] == ["DONE", "DONE"]
    statistics = cluster.stored(tasks["StatisticsGen"].outputs["statistics"])
    assert (statistics / "Split-train" / "FeatureStats.pb").stat().st_size > 0
