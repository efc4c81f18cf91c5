"""A preparation on every Beam runner that runs here, and after it was killed: the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from data.prepare.__main__ import main
from data.prepare.work import Work
from tests.data.planted_duplicates import plant

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three files, so that there is something to hand out."""
    folder = tmp_path_factory.mktemp("rows")
    rows = plant(120).rows
    paths = [folder / f"{name}.jsonl" for name in "abc"]
    for index, path in enumerate(paths):
        lines = (json.dumps(row._asdict()) for row in rows[index::3])
        path.write_text("".join(f"{line}\n" for line in [*lines, "{oops"]))
    return list(map(str, paths))


@pytest.fixture(scope="module")
def expected(sources: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("in-process") / "out"
    assert main(command(sources, out)) == 0
    return digests(out)


def command(sources: list[str], out: Path, *flags: str) -> list[str]:
    return [*sources, "--out", str(out), "--eval-percent", "20", "--max-malformed", "0.1", *flags]


def digests(out: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.iterdir())}


def test_processes_of_this_machine_give_the_same_bytes(
    sources: list[str], expected: dict[str, str], tmp_path: Path
) -> None:
    assert main(command(sources, tmp_path / "out", "--workers", "2")) == 0
    assert digests(tmp_path / "out") == expected


def test_a_portable_job_server_with_an_external_worker_pool_gives_the_same_bytes(
    sources: list[str], expected: dict[str, str], tmp_path: Path
) -> None:
    with (
        serving("apache_beam.runners.portability.local_job_service_main", "--port={port}") as job_server,
        serving("apache_beam.runners.worker.worker_pool_main", "--service_port={port}") as worker_pool,
    ):
        flags = [
            "--runner=PortableRunner",
            f"--job_endpoint=127.0.0.1:{job_server}",
            "--environment_type=EXTERNAL",
            f"--environment_config=127.0.0.1:{worker_pool}",
        ]
        assert main(command(sources, tmp_path / "out", *(f"--beam-flag={flag}" for flag in flags))) == 0
    assert digests(tmp_path / "out") == expected


@pytest.mark.parametrize("stage", ["read", "near", "shards"])
def test_a_run_that_is_killed_in_the_middle_of_a_stage_is_finished_by_the_next(
    stage: str, sources: list[str], expected: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = Work.once

    def dying(self: Work, task: str, do: object) -> object:
        if task.startswith(f"{stage}-") and task != f"{stage}-000000":
            raise KeyboardInterrupt
        return once(self, task, do)  # type: ignore[arg-type]

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(Work, "once", dying)
        with pytest.raises(BaseException):  # noqa: B017, PT011 - whatever Beam makes of it
            main(command(sources, out))
    work = tmp_path / ".out.work"
    done = {path.name: path.stat().st_mtime_ns for path in work.glob("done/*.json")}
    assert f"{stage}-000000.json" in done
    assert not out.exists()
    finished: dict[str, int] = {}
    remove = Work.remove

    def looked_at(self: Work) -> None:
        finished.update({path.name: path.stat().st_mtime_ns for path in work.glob("done/*.json")})
        remove(self)

    monkeypatch.setattr(Work, "remove", looked_at)
    assert main(command(sources, out)) == 0

    assert {name: finished[name] for name in done} == done
    assert digests(out) == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_process_that_is_killed_leaves_no_half_output(
    sources: list[str], expected: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-m", "data.prepare", *command(sources, out)], cwd=ROOT)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob(".out.work/done/read-*.json")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()

    assert main(command(sources, out)) == 0
    assert digests(out) == expected


def test_another_request_or_another_file_starts_anew(
    sources: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("data.prepare.command.dataset_report", interrupt)
        with pytest.raises(KeyboardInterrupt):
            main(command(sources, out))
    Path(sources[0]).write_bytes(Path(sources[0]).read_bytes() + b"{oops again\n")

    assert main(command(sources, out)) == 0
    assert json.loads((out / "report.json").read_text())["rows_dropped"]["malformed"] == 4


def test_two_runs_at_once_into_one_folder_are_refused(sources: list[str], tmp_path: Path) -> None:
    work = tmp_path / ".out.work"
    work.mkdir()
    holder = "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", holder, str(work / "lock")], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert main(command(sources, tmp_path / "out")) == 1
        process.kill()


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def serving(module: str, *flags: str) -> Iterator[int]:
    """Yields the port of a server that is a module of Beam, once it listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    arguments = [flag.format(port=port) for flag in flags]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # the pool starts `python`
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": path}
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            assert process.poll() is None
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
