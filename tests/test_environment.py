"""The lock file, its export, and the set-up that starts from a bare python3."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bootstrap

ROOT = Path(__file__).parents[1]
UV = ROOT / ".uv" / "bin" / "uv"


def requirements(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_requirements_txt_is_what_the_lock_file_exports() -> None:
    command = [
        str(UV),
        "export",
        "--frozen",
        "--quiet",
        "--no-dev",
        *("--extra", "hub", "--extra", "demo", "--extra", "datasets", "--extra", "prepare", "--extra", "serving"),
        "--no-hashes",
        "--no-annotate",
        "--no-emit-project",
    ]
    exported = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert requirements((ROOT / "requirements.txt").read_text()) == requirements(exported), "run `make requirements`"


def test_the_lock_file_fits_pyproject() -> None:
    done = subprocess.run([str(UV), "lock", "--check", "--offline"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_second_set_up_does_nothing() -> None:
    done = subprocess.run([sys.executable, "bootstrap.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.parametrize(("system", "machine"), [("Darwin", "arm64"), ("Windows", "AMD64"), ("Linux", "aarch64")])
def test_an_unsupported_platform_gets_one_sentence(system: str, machine: str) -> None:
    with pytest.raises(bootstrap.SetupError, match=f"Received: {system} on {machine}"):
        bootstrap.check_platform(system, machine)


def test_an_unknown_extra_is_refused() -> None:
    environment = os.environ | {"EXTRAS": "gpu tpu"}
    done = subprocess.run(
        [sys.executable, "bootstrap.py"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "setup: EXTRAS takes gpu, jax, jax-gpu, onnx, signing. Received: tpu.\n"


def test_the_same_extras_in_any_order_are_one_environment() -> None:
    assert bootstrap.read_extras("jax gpu") == bootstrap.read_extras("gpu,jax") == ["gpu", "jax"]
    assert bootstrap.fingerprint(["gpu"]) != bootstrap.fingerprint([])


def test_every_override_has_its_reason_beside_it() -> None:
    block = (ROOT / "pyproject.toml").read_text().split("override-dependencies = [")[1].split("]")[0]
    commented = False
    for line in block.strip().splitlines():
        commented = commented or line.strip().startswith("#")
        assert commented, f"no reason before {line.strip()}"


def test_the_stand_in_for_sql_util_imports_and_refuses_use() -> None:
    from tfx_bsl.arrow import sql_util

    with pytest.raises(RuntimeError, match=re.escape("Received: sql='SELECT 1'")):
        sql_util.RecordBatchSQLSliceQuery("SELECT 1", None)
