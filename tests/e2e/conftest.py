"""One tiny pipeline, run for real once; the tests look at what it made and run it again under other conditions."""

from __future__ import annotations

import io
import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from huggingface_hub import snapshot_download

import local_runner
from hub.server import running

REPOSITORY = Path(__file__).parents[2]
PIPELINE = "kerasnlp-gpt2-alpaca-pipeline"
# With which users start a run; `sys.executable` starts processes that have imported everything.
PYTHON = sys.executable
# Runs a script in a fresh process, whose children are started with another Python.
WITH_CHILDREN = (
    "import runpy, sys; sys.executable, *sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], None, '__main__')"
)
# Code that a run needs: what a changed copy of the project consists of.
PROJECT = ("pipeline", "publishing", "modules", "data", "hub", "serving", "space", "local_runner.py")
TINY = {
    "profile": str(REPOSITORY / "tests/e2e/tiny.toml"),
    "data.path": str(REPOSITORY / "data/sample/tfrecords"),
    "data.schema": str(REPOSITORY / "pipeline/schema/alpaca.pbtxt"),
    "publish.space-template": str(REPOSITORY / "space"),
}
# How lines begin that say what is being done.
PROGRESS = ("  training ", "  evaluating ", "  exporting ", "  answering ", "  proving ")
RESULT = re.compile(r"^  (\w+) +[\d.]+ (?:s|min|h)\b[^a-z]*(cached)?", re.MULTILINE)


@dataclass(frozen=True)
class Finished:
    """What a run left on the terminal."""

    status: int
    out: str
    err: str

    @property
    def ran(self) -> list[str]:
        """Components that really ran, in order."""
        return [name for name, cached in self._results() if not cached]

    @property
    def cached(self) -> list[str]:
        """Components served from cache, in order."""
        return [name for name, cached in self._results() if cached]

    @property
    def messages(self) -> list[str]:
        """What was written to standard error and is no progress."""
        return [line for line in self.err.splitlines() if line.strip() and not line.startswith(PROGRESS)]

    def _results(self) -> list[tuple[str, str]]:
        return [result for result in RESULT.findall(self.out) if result[0] != "imports"]


@dataclass(frozen=True)
class Place:
    """An output folder and a port for its Hub."""

    output: Path
    port: int

    @property
    def root(self) -> Path:
        return self.output / "tfx" / PIPELINE

    def arguments(self, **changes: str) -> list[str]:
        """Flags of a tiny run here; `training__seed="7"` changes one."""
        settings = TINY | {"output-dir": str(self.output), "publish.local-port": str(self.port)}
        settings |= {name.replace("__", ".").replace("_", "-"): value for name, value in changes.items()}
        return [part for name, value in settings.items() for part in (f"--{name}", value)]

    def run(self, **changes: str) -> Finished:
        """Runs in this process, which has TensorFlow imported already."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = local_runner.main(self.arguments(**changes))
        return Finished(status, out.getvalue(), err.getvalue())

    def start(
        self, project: Path = REPOSITORY, *, python: str = PYTHON, children: str = "", **changes: str
    ) -> subprocess.Popen[str]:
        """Runs in a process of its own, from `project`; that starts its own with `children`, if not with `python`."""
        script = ["-c", WITH_CHILDREN, children, "local_runner.py"] if children else ["local_runner.py"]
        command = [python, *script, *self.arguments(**changes)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=project, stdout=pipe, stderr=pipe, text=True)

    def run_process(self, project: Path = REPOSITORY, **options: str) -> Finished:
        """:meth:`start`, and waits."""
        process = self.start(project, **options)
        out, err = process.communicate()  # pytest ends what takes too long
        return Finished(process.returncode, out, err)

    def fetch(self, folder: Path, repo_id: str = "local/tiny") -> Path:
        """What was published here, downloaded from the Hub into `folder`."""
        with running(self.output / "hub", port=free_port()) as endpoint:
            return Path(snapshot_download(repo_id, endpoint=endpoint, token="any", local_dir=folder))

    def copy(self, folder: Path) -> Place:
        """The same results at another port: artifacts stay where they are, metadata and Hub are copied."""
        shutil.copytree(self.output, folder)
        return Place(folder, free_port())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("e2e") / "output", free_port())


@pytest.fixture(scope="session")
def first_run(place: Place) -> Finished:
    """The one complete run, in a fresh process, as a user starts it."""
    return place.run_process()


@pytest.fixture(scope="module", autouse=True)
def quick_children(forked_children: None) -> None:
    """The exports and proofs of runs in this process, and the commands of containers."""


@pytest.fixture(autouse=True)
def unchanged_environment() -> object:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
