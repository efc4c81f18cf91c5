"""The README says what the project does: its commands parse, its paths exist, its output is what is printed."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from data.prepare.__main__ import parse
from pipeline.config.sources import load_config

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    re.sub(r"\s+# .*", "", line)
    for block in BLOCKS
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("$ ")
]


def test_the_first_screen_shows_the_two_commands() -> None:
    first_screen = README.splitlines()[:40]
    assert any(line.startswith("$ make run") for line in first_screen)
    assert any(line.startswith("$ make test") for line in first_screen)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z][a-z-]*)\b", README))))
def test_every_make_target_exists(target: str) -> None:
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [command for command in COMMANDS if "make run" in command])
def test_the_flags_of_every_run_are_accepted(command: str) -> None:
    arguments = dict(part.split("=", 1) for part in shlex.split(command[2:]) if "=" in part)
    load_config(shlex.split(arguments.get("ARGS", "")), {})


@pytest.mark.parametrize("command", [command for command in COMMANDS if "-m data.prepare" in command])
def test_the_flags_of_the_data_command_are_accepted(command: str) -> None:
    parse(shlex.split(command)[4:])


def test_the_summary_shown_has_the_lines_that_a_run_prints() -> None:
    shown = re.findall(r"^  (quality|training|model|revision|log|try it)\b", README, re.MULTILINE)
    printed = re.findall(
        r'"(quality|training|model|revision|log|try it)"', (ROOT / "pipeline/local/summary.py").read_text()
    )
    assert shown
    assert set(shown) <= set(printed)


def test_every_path_of_the_tree_exists() -> None:
    tree = README.split("## What is where")[1].split("```")[1]
    for line in tree.splitlines():
        for name in re.findall(
            r"(?<![\w/])[\w.-]+(?:/|\.py|\.md)", line.split("  ")[0] if not line.startswith(" ") else line[:25]
        ):
            assert list(ROOT.glob(name)) or list(ROOT.glob(f"*/{name}")), name
