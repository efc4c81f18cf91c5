"""The image's steps, replayed in an empty folder: a component runs from what the Dockerfile copies and installs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from pipeline.config.sources import load_config
from tests.e2e.conftest import REPOSITORY
from tests.kubeflow.dockerfile import Instruction, read_dockerfile
from tests.kubeflow.driver import Cluster

pytestmark = pytest.mark.e2e

UV = REPOSITORY / ".uv" / "bin" / "uv"
PROJECT = "/app"


def copy(instruction: Instruction, root: Path) -> None:
    """COPY from the repository, without what .dockerignore keeps out."""
    *sources, target = instruction.words
    for source in (REPOSITORY / source for source in sources):
        if source.is_dir():
            shutil.copytree(
                source,
                root / target.lstrip("/"),
                ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".env*", "tfrecords.tmp"),
            )
        else:
            shutil.copy(source, root / target.lstrip("/"))


@pytest.mark.skipif(not UV.exists(), reason="needs uv, which `make setup` fetches")
def test_a_component_runs_from_what_the_image_would_hold(tmp_path: Path) -> None:
    from pipeline.kubeflow.compile import compile_pipeline, write_package

    file = read_dockerfile(REPOSITORY / "Dockerfile")
    app = tmp_path / PROJECT.lstrip("/")
    app.mkdir()
    for stage in ("build-cpu", "cpu"):
        for instruction in (each for part in file.lineage(stage) for each in part.instructions):
            if instruction.name == "COPY" and not instruction.value.startswith("--from="):
                copy(instruction, tmp_path)
    (sync,) = [each.words for each in file.stages["build-cpu"].instructions if each.name == "RUN"]
    subprocess.run(
        [str(UV), *sync[1:], "--quiet", "--python", sys.executable], cwd=app, env=bare(app), check=True, timeout=600
    )
    config = load_config(["--kubeflow.project-folder", str(app), "--data.schema", "pipeline/schema/alpaca.pbtxt"], {})
    write_package(compile_pipeline(config), tmp_path / "pipeline.yaml", command="")

    def launch(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
        python = app / ".venv" / "bin" / command[0]
        finished = subprocess.run(
            [str(python), *command[1:]],
            cwd=app,
            env={**bare(app), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        return finished.returncode, finished.stdout

    cluster = Cluster(tmp_path, launch=launch)
    tasks = cluster.run(tmp_path / "pipeline.yaml", only={"ImportSchemaGen"})

    schema = cluster.stored(tasks["ImportSchemaGen"].outputs["schema"]) / "schema.pbtxt"
    assert schema.read_bytes() == (REPOSITORY / "pipeline/schema/alpaca.pbtxt").read_bytes()


def bare(app: Path) -> dict[str, str]:
    """The image's environment, and what this machine needs to find packages."""
    needed = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("UV_", "PIP_", "SSL_", "XDG_")) or name == "HOME"
    }
    return needed | {"PATH": f"{app}/.venv/bin:/usr/bin:/bin", "PYTHONPATH": str(app), "TF_CPP_MIN_LOG_LEVEL": "1"}
