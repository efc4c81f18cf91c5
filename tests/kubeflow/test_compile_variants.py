"""Compiled pipelines of other shapes: with a search for hyperparameters, and without a Space."""

from __future__ import annotations

import json
from typing import Any

from pipeline.config.sources import load_config
from pipeline.kubeflow.compile import Package, compile_pipeline

PUBLIC = [
    "--publish.endpoint", "https://huggingface.co", "--publish.repo-id", "someone/gpt2",
    "--publish.space-repo-id", "someone/gpt2-demo",
]  # fmt: skip


def compiled(*arguments: str) -> Package:
    return compile_pipeline(load_config([*PUBLIC, *arguments], {}))


def tasks(package: Package) -> dict[str, Any]:
    return package.pipeline["root"]["dag"]["tasks"]  # type: ignore[no-any-return]


def test_tuner_hands_its_findings_to_trainer_and_gets_the_same_machine() -> None:
    package = compiled("--tuning.enabled", "true", "--tuning.trials", "3", "--kubeflow.gpus", "1")
    executors = package.pipeline["deploymentSpec"]["executors"]
    resources = {label: executors[f"{label}_executor"]["container"]["resources"] for label in ("Tuner", "Trainer")}
    pods = package.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]

    assert tasks(package)["Trainer"]["inputs"]["artifacts"]["hyperparameters"] == {
        "taskOutputArtifact": {"producerTask": "Tuner", "outputArtifactKey": "best_hyperparameters"}
    }
    assert resources["Tuner"] == resources["Trainer"]
    assert pods["Tuner_executor"] == pods["Trainer_executor"]
    given = json.loads(tasks(package)["Tuner"]["inputs"]["parameters"]["custom_config"]["runtimeValue"]["constant"])
    assert given["tuning"]["trials"] == 3
    assert given["checkpoints"] is None


def test_without_tuning_there_is_no_tuner() -> None:
    assert "Tuner" not in tasks(compiled())


def test_a_pipeline_without_a_space_has_no_parameter_for_one() -> None:
    package = compiled("--profile", "pretrain", "--data.path", "/data/text")
    pusher = tasks(package)["HFPusher"]["inputs"]["parameters"]
    settings = json.loads(pusher["settings"]["runtimeValue"]["constant"])

    assert (settings["space_repo_id"], settings["space_template"]) == (None, None)
    assert "publish__space_repo_id" not in pusher
    assert "publish__space_repo_id" not in package.pipeline["root"]["inputDefinitions"]["parameters"]
    transform = tasks(package)["Transform"]["inputs"]["parameters"]["custom_config"]["runtimeValue"]["constant"]
    assert json.loads(transform)["kind"] == "text"


def test_a_run_can_name_a_licence_that_was_not_configured() -> None:
    package = compiled("--kubeflow.parameters", "publish.license")

    assert tasks(package)["HFPusher"]["inputs"]["parameters"]["publish__license"] == {
        "componentInputParameter": "publish__license"
    }
    parameter = package.pipeline["root"]["inputDefinitions"]["parameters"]["publish__license"]
    assert (parameter["parameterType"], parameter["defaultValue"]) == ("STRING", "none")
