"""What a component's cache key covers: every project file that its code imports, and no other."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tfx import types
from tfx.types import standard_artifacts

from modules.fingerprint import PACKAGES, covered_sources, fingerprint
from pipeline.components.answer_quality.component import AnswerQuality
from pipeline.components.data_gate.component import DataGate
from pipeline.components.evaluator.component import SLICES_MODULE, Evaluator
from pipeline.components.hf_pusher.component import HFPusher
from pipeline.components.hf_pusher.fingerprint import publication_fingerprint
from pipeline.components.model_downloader.component import ModelDownloader
from pipeline.components.model_downloader.executor import Purpose
from pipeline.components.serving_proof.component import ServingProof
from pipeline.config.sources import load_config
from pipeline.pipeline import create_pipeline
from publishing.settings import DownloadSettings, PublishSettings
from tests.pipeline.gating import LIMITS

REPOSITORY = Path(__file__).parents[2]
SETTINGS = PublishSettings(repo_id="me/model", endpoint="https://hub")
DOWNLOAD = DownloadSettings(repo_id="me/model", endpoint="https://hub")


def channel(kind: type[types.Artifact]) -> types.BaseChannel:
    return types.Channel(type=kind)


EXAMPLES, MODEL = channel(standard_artifacts.Examples), channel(standard_artifacts.Model)
SCHEMA = channel(standard_artifacts.Schema)
# Every component with an executor of ours, with the modules that it runs.
COMPONENTS: Mapping[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "answer_quality": (lambda: AnswerQuality(examples=EXAMPLES, model=MODEL, rows=1), ()),
    "data_gate": (
        lambda: DataGate(
            examples=EXAMPLES,
            statistics=channel(standard_artifacts.ExampleStatistics),
            schema=SCHEMA,
            anomalies=channel(standard_artifacts.ExampleAnomalies),
            limits=LIMITS,
            dataset="rows",
        ),
        (),
    ),
    "evaluator": (
        lambda: Evaluator(examples=EXAMPLES, schema=SCHEMA, model=MODEL, thresholds=["loss<=1"]),
        (SLICES_MODULE,),
    ),
    "hf_pusher": (lambda: HFPusher(model=MODEL, settings=SETTINGS), ()),
    "model_downloader": (lambda: ModelDownloader(purpose=Purpose.INITIAL_MODEL, settings=DOWNLOAD), ()),
    "serving_proof": (lambda: ServingProof(model=MODEL), ()),
}
EXAMPLE_GEN = "pipeline.components.example_gen.executor"  # which has its fingerprint in TFX's own custom_config
GIVEN = (EXAMPLE_GEN, "modules.preprocessing", "modules.trainer", "modules.tuning")


def executor(name: str) -> str:
    return f"pipeline.components.{name}.executor"


def executed(name: str) -> tuple[str, ...]:
    return (name,) if name in GIVEN else (executor(name), *COMPONENTS[name][1])


def test_every_component_of_ours_is_looked_at() -> None:
    folders = {path.parent.name for path in (REPOSITORY / "pipeline/components").glob("*/executor.py")}

    assert folders == {*COMPONENTS, "example_gen"}


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_cache_key_of_a_component_holds_the_fingerprint_of_its_code(name: str) -> None:
    component = COMPONENTS[name][0]()
    expected = publication_fingerprint() if name == "hf_pusher" else fingerprint(*executed(name))

    assert component.exec_properties["fingerprint"] == expected
    assert type(component).EXECUTOR_SPEC.executor_class.__module__ == executor(name)


def test_the_cache_key_of_the_import_holds_the_fingerprint_of_its_code() -> None:
    (importer, *_) = create_pipeline(load_config([], {})).components

    assert fingerprint(EXAMPLE_GEN) in importer.exec_properties["custom_config"]


def test_the_cache_keys_of_transform_trainer_and_tuner_hold_the_fingerprints_of_their_modules() -> None:
    nodes = {node.id: node for node in create_pipeline(load_config(["--tuning.enabled", "true"], {})).components}
    configs = {name: json.loads(nodes[name].exec_properties["custom_config"]) for name in ("Transform", "Tuner")}

    assert configs["Transform"]["fingerprint"] == fingerprint("modules.preprocessing")
    assert configs["Tuner"]["code"] == fingerprint("modules.tuning")
    trained = json.loads(nodes["Trainer"].exec_properties["custom_config"])["fingerprint"]
    assert trained == hashlib.sha256(fingerprint("modules.trainer").encode()).hexdigest()


# --------------------------------------------------------------------------------- What Python really imports


@pytest.fixture(scope="module")
def imported(forked_children: None) -> dict[str, list[str]]:
    """What is in memory after each module was imported alone."""
    modules = [module for name in (*COMPONENTS, *GIVEN) for module in executed(name)]
    command = [sys.executable, "-m", "tests.pipeline.importing", *modules]
    finished = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=600)
    assert finished.returncode == 0, finished.stderr[-2000:]
    found: dict[str, list[str]] = json.loads(finished.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", [*COMPONENTS, *GIVEN])
def test_a_fingerprint_covers_every_project_file_that_is_imported(name: str, imported: dict[str, list[str]]) -> None:
    really = {module for started in executed(name) for module in imported[started]}

    assert really != set()
    assert really <= covered_sources(*executed(name)).keys()


# ------------------------------------------------------------------------------------------------------ Edits


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code, to be edited."""
    folder = tmp_path_factory.mktemp("project")
    for package in PACKAGES:
        for path in (*(REPOSITORY / package).rglob("*.py"), *(REPOSITORY / package).rglob("*.j2")):
            copy = folder / path.relative_to(REPOSITORY)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    return folder


@pytest.mark.parametrize(
    ("name", "edited", "unrelated"),
    [
        ("data_gate", "data/tfrecords.py", "data/schemas.py"),
        ("data_gate", "modules/models/gpt2/tokenizer.py", "modules/training/fit.py"),
        ("answer_quality", "pipeline/evaluation.py", "pipeline/components/serving_proof/prove.py"),
        ("evaluator", "pipeline/components/evaluator/metrics.py", "pipeline/components/data_gate/rules.py"),
        ("evaluator", "modules/prompts/format.py", "modules/trainer.py"),
        ("serving_proof", "modules/proving/answers.py", "pipeline/evaluation.py"),
        ("serving_proof", "modules/processes.py", "modules/models/training_model.py"),
        ("hf_pusher", "publishing/card/model_card.py", "pipeline/report/page.py"),
        ("hf_pusher", "publishing/card/templates/model_card.md.j2", "pipeline/report/templates/report.html.j2"),
        ("model_downloader", "publishing/hub_client.py", "publishing/card/model_card.py"),
        ("model_downloader", "publishing/connection.py", "modules/trainer.py"),
        (EXAMPLE_GEN, "data/tfrecords.py", "data/sample/facts.py"),
        ("modules.preprocessing", "modules/prompts/format.py", "data/tfrecords.py"),
        ("modules.trainer", "modules/training/callbacks/callback_list.py", "modules/tuning.py"),
        ("modules.tuning", "modules/training/callbacks/callback_list.py", "pipeline/pipeline.py"),
    ],
)
def test_an_edit_of_what_runs_changes_the_key_and_an_unrelated_one_does_not(
    project: Path, name: str, edited: str, unrelated: str
) -> None:
    def after(path: str) -> str:
        source = (project / path).read_bytes()
        (project / path).write_bytes(source + b"# an edit\n")
        found = fingerprint(*executed(name), project=project)
        (project / path).write_bytes(source)
        return found

    before = fingerprint(*executed(name), project=project)

    assert before == fingerprint(*executed(name)), "the place of the project counts"
    assert after(edited) != before
    assert after(unrelated) == before
