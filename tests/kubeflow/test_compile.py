"""The compiled pipeline: golden form, Kubeflow's own protos, and what production needs, value by value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipeline.config.sources import load_config
from pipeline.kubeflow.compile import Package, compile_pipeline, heading, write_package

GOLDEN = Path(__file__).parent / "golden" / "pipeline.yaml"
PRODUCTION = [
    "--profile", "gpt2_base",
    "--publish.endpoint", "https://huggingface.co",
    "--publish.repo-id", "someone/gpt2-alpaca",
    "--publish.space-repo-id", "someone/gpt2-alpaca-demo",
    "--data.path", "/data/alpaca",
    "--kubeflow.image", "registry.example/gpt2-alpaca-pipeline@sha256:" + "0" * 64,
    "--kubeflow.pipeline-root", "s3://models/pipelines",
    "--kubeflow.data-claim", "alpaca",
    "--kubeflow.gpus", "1",
    "--kubeflow.node-selector", "cloud.google.com/gke-accelerator=nvidia-l4",
]  # fmt: skip


def compiled(*changes: str) -> Package:
    return compile_pipeline(load_config([*PRODUCTION, *changes], {}))


@pytest.fixture(scope="module")
def package() -> Package:
    return compiled()


@pytest.fixture(scope="module")
def executors(package: Package) -> dict[str, Any]:
    return {label: each["container"] for label, each in package.pipeline["deploymentSpec"]["executors"].items()}


@pytest.fixture(scope="module")
def pods(package: Package) -> dict[str, Any]:
    return package.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def tasks(package: Package) -> dict[str, Any]:
    return package.pipeline["root"]["dag"]["tasks"]  # type: ignore[no-any-return]


def normalised(package: Package) -> list[dict[str, Any]]:
    """The documents without what every change of the code or of a setting's default would change."""
    documents = json.loads(json.dumps([package.pipeline, package.platform]))
    tasks = documents[0]["root"]["dag"]["tasks"]
    for task in tasks.values():
        given = task.get("inputs", {}).get("parameters", {})
        if "custom_config" in given:
            config = json.loads(given["custom_config"]["runtimeValue"]["constant"])
            given["custom_config"]["runtimeValue"]["constant"] = f"<{', '.join(sorted(config))}>"
        for name in {"fingerprint"} & given.keys():
            given[name]["runtimeValue"]["constant"] = f"<{name}>"
    for executor in documents[0]["deploymentSpec"]["executors"].values():
        executor["container"]["args"] = [
            "--schema_sha256=<hash>" if part.startswith("--schema_sha256=") else part
            for part in executor["container"]["args"]
        ]
    return documents  # type: ignore[no-any-return]


def test_the_compiled_form_is_the_golden_one(package: Package) -> None:
    golden = list(yaml.safe_load_all(GOLDEN.read_text(encoding="utf-8")))

    assert normalised(package) == golden, "if this is meant: python -m tests.kubeflow.test_compile, and read the diff"


def test_compiling_twice_gives_the_same(package: Package) -> None:
    assert compiled() == package


# ------------------------------------------------------------------------------------------ Kubeflow's protos


@pytest.mark.parametrize("types", ["system", "tfx"])
def test_every_field_is_one_of_kubeflows(types: str) -> None:
    pipeline, platform = compiled("--kubeflow.artifact-types", types)
    spec = json_format.ParseDict(pipeline, pipeline_spec_pb2.PipelineSpec())
    deployment = json_format.ParseDict(pipeline["deploymentSpec"], pipeline_spec_pb2.PipelineDeploymentConfig())

    json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
    assert spec.schema_version == "2.1.0"
    assert spec.default_pipeline_root == "s3://models/pipelines"
    assert {component.executor_label for component in spec.components.values()} == set(deployment.executors)


def test_every_setting_of_a_pod_is_one_of_kubernetes_platforms(pods: dict[str, Any]) -> None:
    pytest.importorskip("kfp.kubernetes", reason="needs the development dependency kfp-kubernetes")
    from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig

    for pod in pods.values():
        json_format.ParseDict(pod, KubernetesExecutorConfig())


def test_the_kfp_package_would_write_the_same_pod(pods: dict[str, Any]) -> None:
    kubernetes = pytest.importorskip("kfp.kubernetes", reason="needs the development dependency kfp-kubernetes")
    from kfp import dsl

    @dsl.container_component
    def component():
        return dsl.ContainerSpec(image="image", command=["command"])

    @dsl.pipeline
    def pipeline():
        trainer, pusher, example_gen = component(), component(), component()
        for task in (trainer, pusher, example_gen):
            kubernetes.set_image_pull_policy(task, "IfNotPresent")
        for task, seconds in ((trainer, 86_400), (pusher, 7200), (example_gen, 7200)):
            kubernetes.set_timeout(task, seconds)
        kubernetes.add_node_selector(trainer, "cloud.google.com/gke-accelerator", "nvidia-l4")
        kubernetes.add_toleration(trainer, key="nvidia.com/gpu", operator="Exists", effect="NoSchedule")
        kubernetes.use_secret_as_env(pusher, "hugging-face", {"token": "HF_TOKEN"})
        kubernetes.mount_pvc(example_gen, "alpaca", "/data")

    theirs = json_format.MessageToDict(pipeline.platform_spec)
    written = theirs["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    ours = [pods[label] for label in ("Trainer_executor", "HFPusher_executor", "ImportExampleGen_executor")]
    assert [written[name] for name in sorted(written)] == ours


# -------------------------------------------------------------------------------------- What production needs


def test_the_token_comes_from_a_secret_in_the_pods_that_talk_to_the_hub_alone(pods: dict[str, Any]) -> None:
    (secret,) = pods["HFPusher_executor"]["secretAsEnv"]

    assert secret["secretName"] == "hugging-face"
    assert secret["keyToEnv"] == [{"secretKey": "token", "envVar": "HF_TOKEN"}]
    assert [label for label, pod in pods.items() if "secretAsEnv" in pod] == [
        "BaselineModel_executor",
        "HFPusher_executor",
    ]


def test_no_parameter_is_a_token(package: Package) -> None:
    parameters = package.pipeline["root"]["inputDefinitions"]["parameters"]

    assert [name for name in parameters if "token" in name] == []
    settings = settings_of(package.pipeline["root"]["dag"]["tasks"]["HFPusher"])
    assert [name for name in settings if "token" in name] == ["token_env"]


def test_trainer_gets_the_gpu_and_the_node_and_nobody_else(executors: dict[str, Any], pods: dict[str, Any]) -> None:
    assert executors["Trainer_executor"]["resources"]["accelerator"] == {
        "resourceType": "nvidia.com/gpu",
        "resourceCount": "1",
    }
    assert pods["Trainer_executor"]["nodeSelector"] == {"labels": {"cloud.google.com/gke-accelerator": "nvidia-l4"}}
    assert [label for label, each in executors.items() if "accelerator" in each["resources"]] == ["Trainer_executor"]
    assert [label for label, pod in pods.items() if "nodeSelector" in pod] == ["Trainer_executor"]


def test_the_others_get_processors_and_memory(executors: dict[str, Any]) -> None:
    assert executors["StatisticsGen_executor"]["resources"] == {
        "resourceCpuRequest": "1",
        "resourceCpuLimit": "4",
        "resourceMemoryRequest": "4Gi",
        "resourceMemoryLimit": "8Gi",
    }


def test_every_task_is_retried_with_growing_waits(tasks: dict[str, Any]) -> None:
    policy = {"maxRetryCount": 2, "backoffDuration": "60s", "backoffFactor": 2.0, "backoffMaxDuration": "3600s"}

    assert [task["retryPolicy"] for task in tasks.values()] == [policy] * len(tasks)


def test_without_retries_no_policy_is_written() -> None:
    pipeline, _ = compiled("--kubeflow.retries", "0")

    assert [task for task in pipeline["root"]["dag"]["tasks"].values() if "retryPolicy" in task] == []


def test_every_pod_has_a_time_limit(pods: dict[str, Any]) -> None:
    limits = {label: pod["activeDeadlineSeconds"] for label, pod in pods.items()}

    assert limits.pop("Trainer_executor") == "86400"
    assert set(limits.values()) == {"7200"}


def test_caching_is_chosen_per_component(tasks: dict[str, Any]) -> None:
    uncached = [name for name, task in tasks.items() if not task["cachingOptions"].get("enableCache")]

    assert sorted(uncached) == ["BaselineModel", "HFPusher", "ImportExampleGen"]


def test_the_cache_can_be_switched_off_altogether() -> None:
    pipeline, _ = compiled("--enable-cache", "false")

    options = [task.get("cachingOptions", {}) for task in pipeline["root"]["dag"]["tasks"].values()]
    assert [each for each in options if each.get("enableCache")] == []


def test_rows_come_from_a_volume_claim(pods: dict[str, Any]) -> None:
    (mount,) = pods["ImportExampleGen_executor"]["pvcMount"]

    assert (mount["constant"], mount["mountPath"]) == ("alpaca", "/data")


def test_paths_are_those_of_the_image(tasks: dict[str, Any]) -> None:
    schema = tasks["ImportSchemaGen"]["inputs"]["parameters"]["schema_file"]

    assert schema["runtimeValue"]["constant"] == "/app/pipeline/schema/alpaca.pbtxt"
    assert settings_of(tasks["HFPusher"])["space_template"] == "/app/space"


def test_every_container_starts_the_projects_entrypoint_in_the_image(executors: dict[str, Any]) -> None:
    assert {tuple(each["command"]) for each in executors.values()} == {("python", "-m", "pipeline.kubeflow.entrypoint")}
    assert {each["image"] for each in executors.values()} == {PRODUCTION[PRODUCTION.index("--kubeflow.image") + 1]}


def test_only_types_that_every_kubeflow_knows_are_left(package: Package) -> None:
    assert set(_titles(package)) == {"system.Artifact", "system.Dataset", "system.Model"}


def test_tfx_types_can_be_kept() -> None:
    pipeline = compiled("--kubeflow.artifact-types", "tfx").pipeline
    schema = pipeline["components"]["Trainer"]["outputDefinitions"]["artifacts"]["model"]["artifactType"]

    assert yaml.safe_load(schema["instanceSchema"])["title"] == "tfx.Model"


def test_beam_runs_where_the_configuration_says() -> None:
    pipeline, _ = compiled("--beam.runner", "flink", "--beam.arguments", "--flink_master=flink:8081 --parallelism=4")
    args = pipeline["deploymentSpec"]["executors"]["StatisticsGen_executor"]["container"]["args"]

    assert [part for part in args if part.startswith(("--runner", "--flink", "--parallelism", "--direct"))] == [
        "--runner=FlinkRunner",
        "--flink_master=flink:8081",
        "--parallelism=4",
    ]


def test_nothing_publishes_when_publishing_is_off() -> None:
    pipeline, platform = compiled("--publish.enabled", "false")

    assert "HFPusher" not in pipeline["components"]
    assert [name for name in pipeline["root"]["inputDefinitions"]["parameters"] if "publish" in name] == []
    assert "HFPusher_executor" not in platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


# --------------------------------------------------------------------------------------------------- The file


def test_the_file_holds_both_documents_and_tells_how_it_was_made(package: Package, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "pipeline.yaml"

    write_package(package, path, command="python kubeflow_runner.py compile")

    text = path.read_text(encoding="utf-8")
    assert tuple(yaml.safe_load_all(text)) == package
    assert "# Made by: python kubeflow_runner.py compile\n" in text
    assert "#    training__learning_rate [Default: 5e-05]\n" in text


def test_the_kfp_package_reads_the_file(package: Package, tmp_path: Path) -> None:
    from kfp.components import load_component_from_file

    path = tmp_path / "pipeline.yaml"
    write_package(package, path, command="")
    loaded = load_component_from_file(str(path))

    assert loaded.pipeline_spec.pipeline_info.name == "kerasnlp-gpt2-alpaca-pipeline"
    assert "HFPusher_executor" in loaded.platform_spec.platforms["kubernetes"].deployment_spec.executors


def test_a_heading_without_parameters_names_none() -> None:
    spec = {"pipelineInfo": {"name": "p"}, "root": {}}

    assert heading(spec, "c") == "# PIPELINE DEFINITION\n# Name: p\n# Made by: c\n"


def settings_of(task: dict[str, Any]) -> dict[str, Any]:
    """What HFPusher is told."""
    return dict(json.loads(task["inputs"]["parameters"]["settings"]["runtimeValue"]["constant"]))


def _titles(package: Package) -> list[str]:
    return [
        artifact["artifactType"]["schemaTitle"]
        for component in package.pipeline["components"].values()
        for definitions in ("inputDefinitions", "outputDefinitions")
        for artifact in component.get(definitions, {}).get("artifacts", {}).values()
    ]


if __name__ == "__main__":
    GOLDEN.write_text(yaml.safe_dump_all(normalised(compiled()), sort_keys=True, width=120), encoding="utf-8")
