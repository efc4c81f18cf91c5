"""Runs that are interrupted or killed: real processes, a real metadata store, no training."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from modules.training.checkpoints import CheckpointFolder
from pipeline.config.sources import load_config
from pipeline.layout import checkpoints_folder
from pipeline.report.command import main as report
from tests.pipeline.waiting_run import STARTED

REPOSITORY = Path(__file__).parents[2]


def flags_of(output: Path, *more: str) -> list[str]:
    return ["--output-dir", str(output), "--publish.enabled", "false", *more]


def start(output: Path, *more: str, step: int = 0) -> subprocess.Popen[str]:
    """A run that waits in Trainer, having written a checkpoint of `step`."""
    command = [sys.executable, "-m", "tests.pipeline.waiting_run", str(step), *flags_of(output, *more)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while (line := process.stdout.readline()) != f"{STARTED}\n":
        assert line, process.communicate()[1]
    return process


def interrupted(output: Path, *more: str, step: int = 0) -> str:
    process = start(output, *more, step=step)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    return err


def listed(output: Path, capsys: pytest.CaptureFixture[str]) -> list[Sequence[str]]:
    """What `make runs` says of each run, newest first: how long it took, and its outcome."""
    assert report(["list", "--output-dir", str(output)], {}) == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    return [[cell.strip() for cell in row.split("  ") if cell.strip()][2::3] for row in rows]


@pytest.mark.parametrize(
    ("step", "more", "way_on"),
    [
        (60, (), "with these settings, the next run goes on with the training from its checkpoint of step 60."),
        (
            0,
            (),
            "this run wrote no checkpoint (training.checkpoint_every_steps is 100), "
            "so the next one starts the training anew.",
        ),
        (
            0,
            ("--training.checkpoint-every-steps", "0"),
            "this run wrote no checkpoint (training.checkpoint_every_steps is 0), "
            "so the next one starts the training anew.",
        ),
    ],
)
def test_ctrl_c_says_where_the_next_run_goes_on(tmp_path: Path, step: int, more: tuple[str, ...], way_on: str) -> None:
    assert interrupted(tmp_path, *more, step=step) == f"Interrupted. Nothing half-written will be used: {way_on}\n"


def test_the_checkpoint_of_another_training_is_not_promised(tmp_path: Path) -> None:
    config = load_config(flags_of(tmp_path), {})
    root = checkpoints_folder(config.output_dir, config.pipeline_name)
    CheckpointFolder(root, fingerprint="e" * 64, keep=2, run_id="an earlier run").save(800, {}, {})

    assert "so the next one starts the training where this one did." in interrupted(tmp_path)


def test_the_list_of_runs_tells_running_from_killed_from_interrupted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupted(tmp_path)
    process = start(tmp_path)
    running = listed(tmp_path, capsys)
    process.kill()
    process.communicate(timeout=60)
    killed = listed(tmp_path, capsys)
    interrupted(tmp_path)
    after_the_next_run = listed(tmp_path, capsys)

    assert [row[-1] for row in running] == ["Running: Trainer", "Interrupted in Trainer"]
    assert [row[-1] for row in killed] == ["Killed in Trainer", "Interrupted in Trainer"]
    assert [row[-1] for row in after_the_next_run] == [
        "Interrupted in Trainer", "Killed in Trainer", "Interrupted in Trainer",
    ]  # fmt: skip
    assert after_the_next_run[1] == killed[0]
    for took, _ in after_the_next_run:
        assert took.endswith((" s", " ms"))
