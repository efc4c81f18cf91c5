"""The DAG file imported, and run to the end, by a real Airflow; one task fails once and is tried again."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sqlite3
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.server import running
from pipeline.airflow.__main__ import main
from pipeline.layout import lock_path, pipeline_root

REPOSITORY = Path(__file__).parents[2]
PIPELINE = "kerasnlp-gpt2-alpaca-pipeline"
AIRFLOW = Path(os.environ.get("AIRFLOW_ENVIRONMENT", REPOSITORY / ".airflow")) / "bin"
REFUSAL = "Only one run at a time may write to an output folder."

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.skipif(not (AIRFLOW / "airflow").exists(), reason="there is no Airflow: run `make test-airflow`"),
]


@dataclass(frozen=True)
class Installation:
    """An Airflow of its own, with the DAG in its folder."""

    home: Path
    output: Path

    @property
    def dag_file(self) -> Path:
        return self.home / "dags" / "alpaca.py"

    def start(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dag_file.parent),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }
        command = [str(AIRFLOW / program), *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True)

    def run(self, program: str, *arguments: str) -> str:
        process = self.start(program, *arguments)
        out, _ = process.communicate(timeout=300)
        assert process.returncode == 0, out[-4000:]
        return out

    def tasks(self) -> dict[str, tuple[str, int]]:
        """Each task's state and number of tries."""
        with sqlite3.connect(self.home / "airflow.db") as database:
            rows = database.execute("SELECT task_id, state, try_number FROM task_instance").fetchall()
        return {task: (state, tries) for task, state, tries in rows}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("airflow")
    installation = Installation(folder / "home", folder / "output")
    flags = {
        "profile": REPOSITORY / "tests/e2e/tiny.toml",
        "output-dir": installation.output,
        "publish.local-port": free_port(),
        "retry-delay-seconds": 1,
        "lock-wait-minutes": 0,
        "schedule": "0 3 * * 1",
        "time-zone": "Europe/Berlin",
        "output": installation.dag_file,
    }
    assert main([part for name, value in flags.items() for part in (f"--{name}", str(value))], dict(os.environ)) == 0
    installation.run("airflow", "db", "migrate")
    return installation


@pytest.fixture(scope="module")
def log(installation: Installation) -> str:
    """What a run of the DAG says; until a task has failed for it, another process holds the output folder."""
    lock = lock_path(str(installation.output), PIPELINE)
    lock.parent.mkdir(parents=True, exist_ok=True)
    conf = json.dumps({"training__learning_rate": 0.005})
    with lock.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        process = installation.start("airflow", "dags", "test", "-c", conf, "-f", str(installation.dag_file), PIPELINE)
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            if REFUSAL in line:
                fcntl.flock(file, fcntl.LOCK_UN)
    assert process.wait(timeout=60) == 0, "".join(lines)[-4000:]
    return "".join(lines)


def test_airflow_reads_the_file_as_a_dag_with_its_schedule(installation: Installation) -> None:
    script = (
        "import runpy, sys; dag = runpy.run_path(sys.argv[1])['preflight'].dag; "
        "schedule = dag.schedule; print(dag.dag_id, schedule.expression, schedule.timezone, dag.catchup)"
    )

    said = installation.run("python", "-c", script, str(installation.dag_file))

    assert said.splitlines()[-1] == f"{PIPELINE} 0 3 * * 1 Europe/Berlin False"


def test_every_task_succeeds_and_the_one_that_failed_was_tried_again(log: str, installation: Installation) -> None:
    tasks = installation.tasks()

    assert log.count(REFUSAL) == 1
    assert sorted(tasks.values()) == [*[("success", 1)] * (len(tasks) - 1), ("success", 2)]
    assert tasks.keys() >= {"preflight", "StatisticsGen", "DataGate", "Transform", "Trainer", "HFPusher"}


def test_the_runs_parameter_reaches_the_trainer(log: str, installation: Installation) -> None:
    (report,) = pipeline_root(str(installation.output), PIPELINE).glob("Trainer/model/*/exports/training.json")

    assert json.loads(report.read_text(encoding="utf-8"))["training"]["learning_rate"] == 0.005


def test_the_run_has_published_one_revision(log: str, installation: Installation) -> None:
    from huggingface_hub import HfApi

    with running(installation.output / "hub", port=free_port()) as endpoint:
        branches = HfApi(endpoint=endpoint, token="any").list_repo_refs("local/tiny").branches

    assert len([branch for branch in branches if branch.name.startswith("v20")]) == 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
