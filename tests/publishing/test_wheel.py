"""The wheel that other projects install: in an environment of its own, from outside the repository."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from hub import server
from modules.fingerprint import covered_sources
from tests.publishing.publications import hub_at

ROOT = Path(__file__).parents[2]
UV = ROOT / ".uv" / "bin" / "uv"
REPO_ID = "local/from-a-wheel"
UNREACHABLE = re.compile(r"error sending request|dns error|connect|timed out|Failed to fetch", re.IGNORECASE)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wheel")


@pytest.fixture(scope="module")
def wheel(place: Path) -> Path:
    registry(place, "build", "--wheel", "--quiet", "--out-dir", str(place), str(ROOT))
    (found,) = place.glob("gpt2_alpaca_pipeline-*.whl")
    return found


@pytest.fixture(scope="module")
def python(place: Path, wheel: Path) -> Path:
    """Python of an environment that holds the wheel and what it asks for, and nothing else."""
    folder = place / "alone"
    registry(place, "venv", "--quiet", "--python", sys.executable, str(folder))
    registry(place, "pip", "install", "--quiet", "--python", str(folder / "bin/python"), str(wheel))
    return folder / "bin" / "python"


def test_huggingface_hub_alone_publishes_a_folder_to_the_local_hub_and_verifies_it(
    python: Path, model_folder: Path, tmp_path: Path
) -> None:
    with server.running(tmp_path / "hub", port=0) as endpoint:
        to_hub = ("--endpoint", endpoint)
        published = run(python, tmp_path, "publishing", "--model-dir", model_folder, "--repo-id", REPO_ID, *to_hub)
        verified = run(python, tmp_path, "publishing", "verify", REPO_ID, *to_hub)
        branches = hub_at(endpoint).branches(REPO_ID, repo_type="model")

    (revision, commit) = re.fullmatch(rf"{REPO_ID} is published as (\S+), commit (\w{{40}})\n", published).groups()  # type: ignore[union-attr]
    assert branches[revision] == commit
    assert re.fullmatch(rf"{revision}: \d+ files, [\d,]+ bytes, all as published; not signed\n", verified)


def test_neither_tensorflow_nor_tfx_is_there(python: Path, tmp_path: Path) -> None:
    names = ("tensorflow", "tfx", "keras", "starlette", "gradio", "publishing", "huggingface_hub")
    code = f"import json; from importlib.util import find_spec as f; print(json.dumps([bool(f(n)) for n in {names}]))"
    done = subprocess.run([python, "-c", code], cwd=tmp_path, env=bare(), capture_output=True, text=True, check=True)

    assert dict(zip(names, json.loads(done.stdout), strict=True)) == {
        "tensorflow": False, "tfx": False, "keras": False, "starlette": False, "gradio": False,
        "publishing": True, "huggingface_hub": True,
    }  # fmt: skip


def test_the_embedded_hub_says_which_extra_it_needs(python: Path, model_folder: Path, tmp_path: Path) -> None:
    command = [python, "-m", "publishing", "--model-dir", model_folder, "--repo-id", REPO_ID]
    done = subprocess.run(command, cwd=tmp_path, env=bare(), capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "The embedded Hub needs the extra `hub`. Received: no module " in done.stderr
    assert "Install gpt2-alpaca-pipeline[hub], or name the address of a Hub." in done.stderr


def test_the_wheel_holds_every_file_that_the_library_and_the_components_import(wheel: Path) -> None:
    components = [f"pipeline.components.{name}.component" for name in ("hf_pusher", "model_downloader")]
    needed = covered_sources(*components, "publishing.__main__", "hub.__main__")
    paths = {name if name.endswith(".j2") else f"{name.replace('.', '/')}" for name in needed}

    with zipfile.ZipFile(wheel) as archive:
        held = {name.removesuffix(".py").removesuffix("/__init__") for name in archive.namelist()}
    assert paths - held == set()


def test_the_example_pipeline_runs_from_outside_the_repository(
    wheel: Path, model_folder: Path, place: Path, tmp_path: Path
) -> None:
    folder = place / "with-tfx"
    registry(place, "venv", "--quiet", "--python", sys.executable, str(folder))
    registry(place, "pip", "install", "--quiet", "--no-deps", "--python", str(folder / "bin/python"), str(wheel))
    (site,) = folder.glob("lib/python*/site-packages")
    # TFX takes minutes to install: it is lent by the environment of the tests, in which this project is not installed.
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")

    command = [folder / "bin/python", ROOT / "examples" / "publish_a_model.py", model_folder, tmp_path / "work"]
    done = subprocess.run(command, cwd=tmp_path, env=bare(), capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-2000:]
    record = json.loads(next((tmp_path / "work" / "tfx").rglob("publication.json")).read_text())
    with server.running(tmp_path / "work" / "hub", port=0) as address:
        branches = hub_at(address).branches("local/my-model", repo_type="model")
    assert branches[record["revision"]] == record["commit"]


def registry(folder: Path, *arguments: str) -> None:
    """Runs uv outside the repository, whose overrides it would apply; skips the test where no registry answers."""
    done = subprocess.run([UV, *arguments], cwd=folder, env=outside(), capture_output=True, text=True, check=False)
    if done.returncode and UNREACHABLE.search(done.stderr):
        pytest.skip(f"no package registry can be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


def run(python: Path, folder: Path, module: str, *arguments: str | Path) -> str:
    """Returns what a module of the environment prints."""
    command = [python, "-m", module, *arguments]
    done = subprocess.run(command, cwd=folder, env=bare(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def outside() -> dict[str, str]:
    """The environment variables without what points to this repository."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def bare() -> dict[str, str]:
    """Those of a publisher: a token, and no proxy for loopback."""
    return outside() | {"HF_TOKEN": "any", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "HF_HUB_DISABLE_XET": "1"}
