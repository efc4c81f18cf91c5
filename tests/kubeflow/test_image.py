"""The Dockerfile, checked without a Docker daemon."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from pipeline.config.cluster import KubeflowConfig
from tests.kubeflow.dockerfile import read_dockerfile

REPOSITORY = Path(__file__).parents[2]
FILE = read_dockerfile(REPOSITORY / "Dockerfile")
TARGETS = ("cpu", "gpu")
KNOWN = {"FROM", "ARG", "ENV", "WORKDIR", "RUN", "COPY", "USER", "ENTRYPOINT"}
SECRET = re.compile(r"token|secret|password|api_?key|credential", re.IGNORECASE)


def instructions(name: str, *stages: str) -> list[str]:
    """The values of all instructions of a name in what these stages are built on."""
    lineages = {stage.name: stage for target in stages or FILE.stages for stage in FILE.lineage(target)}
    return [each.value for stage in lineages.values() for each in stage.instructions if each.name == name]


def environment(target: str) -> dict[str, str]:
    pairs = [pair for value in instructions("ENV", target) for pair in value.split()]
    return dict(pair.split("=", 1) for pair in pairs)


def test_every_instruction_is_one_that_these_tests_understand() -> None:
    assert {each.name for stage in FILE.stages.values() for each in stage.instructions} <= KNOWN


@pytest.mark.parametrize("target", [*TARGETS, "serving"])
def test_the_base_is_pinned_by_digest_and_of_the_projects_python(target: str) -> None:
    image = FILE.image(target)

    assert re.fullmatch(r"python:3\.11-slim-bookworm@sha256:[0-9a-f]{64}", image)
    assert (REPOSITORY / ".python-version").read_text(encoding="utf-8").strip() == "3.11"


@pytest.mark.parametrize("target", [*TARGETS, "serving"])
def test_it_runs_as_a_user_that_kubernetes_can_tell_from_root(target: str) -> None:
    (user,) = [each.value for each in FILE.stages[target].instructions if each.name == "USER"]

    after = FILE.stages[target].instructions
    assert {each.name for each in after[after.index(next(each for each in after if each.name == "USER")) + 1 :]} <= {
        "ENTRYPOINT"
    }  # nothing is done as another one after it
    assert re.fullmatch(r"[1-9]\d*:\d+", user)
    assert f"--uid {user.partition(':')[0]} " in " ".join(instructions("RUN", target))


def test_the_last_stage_is_the_one_without_a_gpu() -> None:
    assert list(FILE.stages)[-1] == "cpu"


def test_the_targets_differ_in_their_packages_alone() -> None:
    both = {
        target: [each.value.replace(target, "X") for each in FILE.stages[target].instructions] for target in TARGETS
    }

    assert both["cpu"] == both["gpu"]
    assert instructions("RUN", "build-cpu")[-1] == "uv sync --frozen --no-dev --extra hub"
    assert instructions("RUN", "build-gpu")[-1] == "uv sync --frozen --no-dev --extra hub --extra gpu"


def test_what_is_copied_exists_and_gets_past_the_ignore_file() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_through = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        source for value in instructions("COPY") if not value.startswith("--from=") for source in value.split()[:-1]
    }

    assert [source for source in copied if not (REPOSITORY / source).exists()] == []
    assert copied == let_through


def test_results_and_secrets_stay_out() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert lines[1] == "*"
    assert {"**/.env*", "**/__pycache__", "data/alpaca/tfrecords"} <= set(lines)
    texts = [each.value for stage in FILE.stages.values() for each in stage.instructions]
    assert [text for text in texts if SECRET.search(text)] == []


def test_the_lock_decides_every_package_and_uv_is_the_one_of_make_setup() -> None:
    bootstrap = (REPOSITORY / "bootstrap.py").read_text(encoding="utf-8")
    (pinned,) = re.findall(r"uv==[\d.]+", bootstrap)
    runs = " ".join(instructions("RUN"))

    assert f"pip install --no-cache-dir {pinned} " in f"{runs} "
    assert re.findall(r"uv sync (\S+)", runs) == ["--frozen", "--frozen", "--frozen"]
    assert (
        "gpu"
        in tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"][
            "optional-dependencies"
        ]
    )


@pytest.mark.parametrize("target", TARGETS)
def test_the_containers_command_finds_python_and_the_project(target: str) -> None:
    settings = KubeflowConfig()
    chosen = environment(target)

    assert instructions("WORKDIR", target) == [settings.project_folder]
    assert chosen["PATH"].startswith(f"{settings.project_folder}/.venv/bin:")
    assert chosen["PYTHONPATH"] == settings.project_folder
    assert f"--from=build-{target} /app/.venv /app/.venv" in instructions("COPY", target)


def test_the_server_s_image_holds_what_it_runs_and_no_tensorflow() -> None:
    copied = {value.split()[0] for value in instructions("COPY", "serving") if not value.startswith("--from=")}
    (command,) = instructions("ENTRYPOINT", "serving")
    (synced,) = [value for value in instructions("RUN", "build-serving") if value.startswith("uv sync")]
    exported = subprocess.run(
        [str(REPOSITORY / ".uv/bin/uv"), "export", *synced.split()[2:], "--quiet", "--no-hashes", "--no-annotate"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    packages = set(re.findall(r"^([\w.-]+)==", exported, re.MULTILINE))

    assert copied == {"LICENSE", "publishing", "serving"}
    assert json.loads(command)[:3] == ["python", "-m", "serving"]
    assert {"ctranslate2", "tokenizers", "fastapi", "uvicorn", "prometheus-client", "huggingface-hub"} <= packages
    assert packages & {"tensorflow", "torch", "tfx", "keras", "jax", "apache-beam", "gradio"} == set()


def test_what_the_pipeline_reads_by_path_is_in_the_image() -> None:
    copied = {value.split()[0] for value in instructions("COPY", "cpu") if not value.startswith("--from=")}

    assert {"data", "hub", "modules", "pipeline", "publishing", "serving", "space"} <= copied
