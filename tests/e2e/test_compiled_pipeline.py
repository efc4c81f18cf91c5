"""The compiled pipeline, executed for real: every container's own command, up to a published revision.

It gets its artifacts in the poorest of the forms that Kubeflow's releases hand over, or with KFP_FORM=system or
KFP_FORM=typed in one of the others (`typed` is compiled with TFX's own types as well).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.access import Identity
from hub.server import running
from tests.e2e.conftest import REPOSITORY, TINY, Finished, Place
from tests.e2e.test_local_pipeline import ALL
from tests.kubeflow.driver import Cluster, Task

pytestmark = pytest.mark.e2e

FORM = os.environ.get("KFP_FORM", "bare")
TOKEN = "hf_not-a-real-token"
REPOSITORIES = {"publish.repo-id": "me/tiny", "publish.space-repo-id": "me/tiny-demo"}
# As the quickstart does; three steps are too few to end early.
EVALUATED = {
    "training__max_steps": "5",
    "training__evaluate_every_steps": "1",
    "training__early_stopping_patience": "3",
    "training__keep_weights": "best",
}
# They tell of the run: its repository, times and durations, and TensorFlow's random names.
OF_THE_RUN = {
    "README.md",
    "keras/metadata.json",
    "manifest.json",
    "saved_model/fingerprint.pb",
    "saved_model/saved_model.pb",
    "training.json",
}
Executed = tuple[Cluster, dict[str, Task], Path]


def flags(endpoint: str, **changes: str) -> list[str]:
    settings = TINY | REPOSITORIES | {"publish.endpoint": endpoint, "kubeflow.project-folder": str(REPOSITORY)}
    settings |= {name.replace("__", ".").replace("_", "-"): value for name, value in changes.items()}
    return [part for name, value in settings.items() for part in (f"--{name}", value)]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """A Hub elsewhere, and the tokens that it was shown."""
    shown: list[str] = []

    def authenticate(token: str) -> Identity:
        shown.append(token)
        return Identity("me", "write")

    with running(tmp_path_factory.mktemp("hub"), port=0, authenticate=authenticate) as endpoint:
        yield endpoint, shown


@pytest.fixture(scope="module")
def executed(hub: tuple[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Executed:
    """The whole pipeline, compiled by the command, and run."""
    from pipeline.kubeflow.runner import run_command

    endpoint, _ = hub
    folder = tmp_path_factory.mktemp("cluster")
    package = folder / "pipeline.yaml"
    changes = EVALUATED | {"kubeflow__artifact_types": "tfx" if FORM == "typed" else "system"}
    assert run_command(["compile", "--output", str(package), *flags(endpoint, **changes)], {}) == 0
    cluster = Cluster(
        folder,
        form=FORM,  # type: ignore[arg-type] # one of Kubeflow's
        secrets={"hugging-face": {"token": TOKEN}},
        environment={"HF_HUB_DISABLE_XET": "0"},  # as in a cluster, where nobody sets it
    )
    return cluster, cluster.run(package, training__max_steps="3"), package


def published(cluster: Cluster, tasks: dict[str, Task]) -> dict[str, Any]:
    """HFPusher's record of what it published."""
    record = cluster.stored(tasks["HFPusher"].outputs["pushed_model"]) / "publication.json"
    return json.loads(record.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def test_every_containers_own_command_runs_to_a_published_revision(
    executed: Executed, hub: tuple[str, list[str]]
) -> None:
    from huggingface_hub import HfApi

    cluster, tasks, _ = executed
    record = published(cluster, tasks)

    # Kubeflow looks nothing up: what is published stands for what was blessed.
    assert sorted(tasks) == sorted({*ALL, "BaselineModel"} - {"BaselineResolver", "DataResolver"})
    refs = HfApi(endpoint=hub[0], token="any").list_repo_refs("me/tiny")
    assert {branch.name: branch.target_commit for branch in refs.branches}[record["revision"]] == record["commit"]
    assert tasks["HFPusher"].outputs["pushed_model"].metadata["revision"] == record["revision"]


def test_a_parameter_of_the_run_reaches_training(executed: Executed) -> None:
    cluster, tasks, _ = executed
    path = cluster.stored(tasks["Trainer"].outputs["model"]) / "exports/training.json"
    report = json.loads(path.read_text(encoding="utf-8"))

    assert (report["steps"], report["planned_steps"], report["stop_reason"]) == (3, 3, None)
    assert [step for step, *_ in report["evaluations"]] == [1, 2, 3]


def test_the_token_comes_from_the_secret_and_is_nowhere_else(executed: Executed, hub: tuple[str, list[str]]) -> None:
    cluster, tasks, package = executed

    assert set(hub[1]) == {TOKEN, "any"}
    assert tasks["HFPusher"].environment == {"HF_TOKEN": TOKEN}
    assert sorted(task.name for task in tasks.values() if task.environment) == ["BaselineModel", "HFPusher"]
    assert TOKEN not in package.read_text(encoding="utf-8")
    assert [name for name, task in tasks.items() if TOKEN in task.log] == []
    everything = [path for path in cluster.folder.rglob("*") if path.is_file()]
    assert [path for path in everything if TOKEN.encode() in path.read_bytes()] == []


def test_the_revision_is_the_local_runners(first_run: Finished, place: Place, executed: Executed) -> None:
    cluster, tasks, _ = executed
    # Other tests may have run the pipeline here again: the first run's execution has the lowest number.
    pushed = (place.root / "HFPusher" / "pushed_model").glob("*/publication.json")
    local = min(pushed, key=lambda path: int(path.parent.name))
    here = json.loads(local.read_text(encoding="utf-8"))["files"]
    there = published(cluster, tasks)["files"]

    assert there.keys() == here.keys()
    assert {name for name in here if here[name] != there[name]} <= OF_THE_RUN
    assert {"model.safetensors", "ctranslate2/model.bin", "keras/model.weights.h5", "prompt.json"} <= here.keys()


def test_the_next_run_is_compared_with_what_this_one_published(executed: Executed) -> None:
    cluster, tasks, package = executed
    first = json.loads((cluster.stored(tasks["Evaluator"].outputs["evaluation"]) / "report.json").read_text("utf-8"))
    assert first["notes"] == ["nothing was published to me/tiny before, so there was nothing to compare with"]

    again = cluster.run(package, only={"BaselineModel", "Evaluator"})

    report = json.loads((cluster.stored(again["Evaluator"].outputs["evaluation"]) / "report.json").read_text("utf-8"))
    overall = next(row for row in report["slices"] if not row["slice"])
    assert report["notes"] == []
    assert overall["baseline"] == overall["candidate"]  # the same model, once more
