"""The DAG file: what is written, and what of the settings travels in it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from pipeline.airflow.__main__ import main
from pipeline.airflow.dag_file import DagParameter, DagSettings, dag_id, dag_text

SETTINGS = DagSettings(dag_id="alpaca", project="/srv/pipeline", python="/srv/pipeline/.venv/bin/python")
UPSTREAM = {"ImportExampleGen": [], "Trainer": ["ImportExampleGen"], "HFPusher": ["Trainer"]}


def constants(text: str) -> dict[str, Any]:
    """The values that the file assigns at its top level."""
    return {
        statement.targets[0].id: ast.literal_eval(statement.value)
        for statement in ast.parse(text).body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }


def call(text: str, name: str) -> dict[str, str]:
    """The keyword arguments of the first call of `name`, as written."""
    found = next(
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    )
    return {keyword.arg: ast.unparse(keyword.value) for keyword in found.keywords if keyword.arg}


def test_the_file_names_the_components_and_what_they_wait_for() -> None:
    text = dag_text(SETTINGS, UPSTREAM)

    assert constants(text)["UPSTREAM"] == UPSTREAM
    assert constants(text)["COMMAND"] == (
        "exec '/srv/pipeline/.venv/bin/python' -m pipeline.airflow.run_node "
        '--node "$PIPELINE_NODE" --run-id "$PIPELINE_RUN_ID"'
    )


def test_the_file_imports_airflow_and_nothing_of_this_project() -> None:
    tree = ast.parse(dag_text(SETTINGS, UPSTREAM))

    modules = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert modules == {"datetime", "zoneinfo", "airflow.providers.standard.operators.bash", "airflow.sdk"}
    assert not [node for node in tree.body if isinstance(node, ast.Import)]


def test_without_a_schedule_runs_are_started_by_hand() -> None:
    assert call(dag_text(SETTINGS, UPSTREAM), "DAG")["schedule"] == "None"


def test_a_schedule_has_its_time_zone_and_catches_nothing_up() -> None:
    text = dag_text(DagSettings("a", "/p", "/python", schedule="0 3 * * 1", time_zone="Europe/Berlin"), UPSTREAM)

    assert call(text, "DAG")["schedule"] == "CronTriggerTimetable('0 3 * * 1', timezone=TIME_ZONE)"
    assert call(text, "DAG")["catchup"] == "False"
    assert call(text, "DAG")["max_active_runs"] == "1"
    assert constants(text)["TIME_ZONE"] == "Europe/Berlin"


@pytest.mark.parametrize(
    ("default", "written"),
    [
        (3, "Param(3, type='integer', description='Its meaning.')"),
        (0.5, "Param(0.5, type='number', description='Its meaning.')"),
        (True, "Param(True, type='boolean', description='Its meaning.')"),
        ('it\'s "so"', "Param('it\\'s \"so\"', type='string', description='Its meaning.')"),
    ],
)
def test_a_parameter_has_the_type_of_its_default(default: Any, written: str) -> None:
    parameter = DagParameter("group__field", "GPT2_ALPACA_GROUP__FIELD", default, "Its meaning.")
    text = dag_text(DagSettings("a", "/p", "/python", parameters=(parameter,)), UPSTREAM)

    assert call(text, "DAG")["params"] == f"{{'group__field': {written}}}"
    assert constants(text)["SETTINGS"] == {"GPT2_ALPACA_GROUP__FIELD": "{{ params.group__field }}"}


def test_odd_characters_in_paths_and_settings_stay_data() -> None:
    odd = '/data of "A"/it\'s $HOME; `id`\n\\'
    text = dag_text(DagSettings("a", odd, odd, settings={"GPT2_ALPACA_DATA__PATH": odd}), UPSTREAM)

    assert constants(text)["PROJECT"] == odd
    assert constants(text)["SETTINGS"] == {"GPT2_ALPACA_DATA__PATH": odd}
    assert constants(text)["COMMAND"].startswith("exec '/data of \"A\"/it'\\''s $HOME; `id`\n\\' -m ")


def test_a_name_becomes_an_id_that_airflow_takes() -> None:
    assert dag_id("My pipeline: ä") == "My-pipeline-"


# ------------------------------------------------------------------------------------------------ The command


def written(tmp_path: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    output = tmp_path / "dags" / "alpaca.py"
    assert main(["--output", str(output), *arguments], environment or {}) == 0
    return output.read_text(encoding="utf-8")


def test_flags_and_environment_travel_and_the_token_does_not(tmp_path: Path) -> None:
    environment = {"GPT2_ALPACA_TRAINING__SEED": "7", "HF_TOKEN": "hf_secret", "GPT2_ALPACA_TRAINING__EPOCHS": "5"}
    text = written(tmp_path, "--training.batch-size", "8", "--training.epochs", "3", environment=environment)

    assert constants(text)["SETTINGS"] == {
        "GPT2_ALPACA_TRAINING__SEED": "7",
        "GPT2_ALPACA_TRAINING__BATCH_SIZE": "8",
        "GPT2_ALPACA_DATA__PATH": "{{ params.data__path }}",
        "GPT2_ALPACA_TRAINING__EPOCHS": "{{ params.training__epochs }}",
        "GPT2_ALPACA_TRAINING__LEARNING_RATE": "{{ params.training__learning_rate }}",
    }
    assert "'training__epochs': Param(3, type='integer'" in call(text, "DAG")["params"]
    assert "hf_secret" not in text


def test_every_component_of_the_pipeline_is_a_task(tmp_path: Path) -> None:
    upstream = constants(written(tmp_path, "--publish.enabled", "false"))["UPSTREAM"]

    assert next(iter(upstream)) == "ImportExampleGen"
    assert {"StatisticsGen", "ExampleValidator", "DataGate", "Transform", "Trainer"} <= upstream.keys()
    assert "HFPusher" not in upstream
    assert "DataGate" in upstream["Transform"]
    assert all(set(others) <= upstream.keys() for others in upstream.values())


def test_a_template_is_rendered_for_each_run_instead_of_being_a_parameter(tmp_path: Path) -> None:
    text = written(tmp_path, "--data.path", "/rows/{{ ds }}", "--dag-id", "weekly", "--schedule", "0 3 * * 1")

    assert constants(text)["SETTINGS"]["GPT2_ALPACA_DATA__PATH"] == "/rows/{{ ds }}"
    assert "data__path" not in call(text, "DAG")["params"]
    assert call(text, "DAG")["dag_id"] == "'weekly'"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--parameter", "training.epoch"), "A parameter is a field of the configuration"),
        (("--parameter", "profile"), "A parameter is a field of the configuration"),
        (("--parameter", "data.path", "--data.path", "/rows/{{ ds }}"), "whose value is no template"),
        (("--training.epochs", "none"), "training.epochs"),
    ],
)
def test_what_cannot_be_written_is_said_and_nothing_is_written(
    arguments: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "alpaca.py"

    assert main(["--output", str(output), *arguments], {}) == 1

    assert message in capsys.readouterr().err
    assert not output.exists()
