"""A marked token, and everything that a run leaves: the token is in none of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.access import Identity
from hub.server import running
from publishing.exports import DEFAULT_EXPORTS, EXPORTS
from tests.publishing.publications import REPO_ID, SPACE_REPO_ID, TEMPLATE, TOKEN

ROOT = Path(__file__).parents[2]
VARIABLE = "MARKED_TOKEN"
# A pipeline of an importer and HFPusher, compiled and run as any runner does; every logger at its most talkative.
PROGRAM = """
import json, logging, sys
from pathlib import Path
logging.basicConfig(level=logging.DEBUG, filename=sys.argv[1] + "/debug.log")
from google.protobuf import json_format
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.dsl.compiler.compiler import Compiler
from tests.publishing.test_pusher_component import _pipeline
folder, model, endpoint, variable = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
pipeline = _pipeline(folder, model, endpoint=endpoint, token_env=variable)
(folder / "compiled.json").write_text(json_format.MessageToJson(Compiler().compile(pipeline)))
config = KubeflowV2DagRunnerConfig(default_image="image", use_pipeline_spec_2_1=True)
KubeflowV2DagRunner(config=config, output_dir=str(folder), output_filename="compiled.yaml").run(pipeline)
LocalDagRunner().run(pipeline)
"""


@dataclass(frozen=True)
class Run:
    """A run in a process of its own, and what it left."""

    status: int
    folder: Path
    output: str  # standard output and error
    command_lines: set[bytes]  # of the process and its children, while it ran

    def files_with_the_token(self) -> list[Path]:
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return [path for path in files if TOKEN.encode() in path.read_bytes()]


@pytest.mark.parametrize("accepts", [True, False])
def test_the_token_is_in_nothing_that_a_run_leaves(accepts: bool, model_folder: Path, tmp_path: Path) -> None:
    writer = Identity("local", "write")
    with running(tmp_path / "hub", port=0, authenticate=lambda token: writer if accepts else None) as endpoint:
        run = run_apart(model_folder, tmp_path, endpoint)

    assert (run.status == 0) == accepts, run.output
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert {"debug.log", "compiled.json", "compiled.yaml", "metadata.db"} <= left
    assert ("publication.json" in left) == accepts
    assert ("Traceback (most recent call last)" in run.output) != accepts
    assert VARIABLE in (tmp_path / "compiled.json").read_text(), "the name of the variable is no secret"
    assert run.files_with_the_token() == []
    assert TOKEN not in run.output
    assert any(PROGRAM.encode() in line for line in run.command_lines)
    assert not any(TOKEN.encode() in line for line in run.command_lines)


def test_the_publishing_command_keeps_the_token_to_itself(model_folder: Path, tmp_path: Path) -> None:
    with running(tmp_path / "hub", port=0) as endpoint:
        command = ["-m", "publishing", "--model-dir", str(model_folder), "--repo-id", REPO_ID]
        options = ["--space-repo-id", SPACE_REPO_ID, "--space-template", str(TEMPLATE), "--endpoint", endpoint]
        run = start([*command, *options, "--token-env", VARIABLE], tmp_path)

    assert run.status == 0, run.output
    assert f"{REPO_ID} is published as v" in run.output
    assert "huggingface.co" not in run.output, "another Hub than the one that was named was spoken to"
    assert run.files_with_the_token() == []
    assert TOKEN not in run.output


def test_a_published_model_holds_no_token_in_any_of_its_exports(model_folder: Path) -> None:
    assert {EXPORTS[name].model_folder for name in DEFAULT_EXPORTS} <= {
        path.relative_to(model_folder).as_posix() for path in model_folder.rglob("*") if path.is_dir()
    }
    assert Run(0, model_folder, "", set()).files_with_the_token() == []


def run_apart(model: Path, folder: Path, endpoint: str) -> Run:
    return start(["-c", PROGRAM, str(folder), str(model), endpoint, VARIABLE], folder)


def start(arguments: list[str], folder: Path) -> Run:
    """Runs Python with the token in its environment; its home, cache and temporary files go below `folder`."""
    temporary = folder / "tmp"
    temporary.mkdir()
    settings = {VARIABLE: TOKEN, "HOME": str(folder), "HF_HOME": str(folder / "home"), "TMPDIR": str(temporary)}
    settings |= {"HF_HUB_DISABLE_XET": "0", "HF_DEBUG": "1", "NO_PROXY": "127.0.0.1", "PYTHONPATH": str(ROOT)}
    output = folder / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *arguments], env=os.environ | settings, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT
        )
        lines: set[bytes] = set()
        while process.poll() is None:
            lines |= {command_line(pid) for pid in family(process.pid)}
            time.sleep(0.02)
    return Run(process.returncode, folder, output.read_text(errors="replace"), lines - {b""})


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has ended
        return []
    return [pid, *(member for child in children for member in family(int(child)))]


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
