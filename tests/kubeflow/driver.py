"""Runs a compiled pipeline's own container commands as local processes. A test tool, no orchestrator.

It does what Kubeflow's driver and launcher do around a container, and no more (backend/src/v2/{driver,component} of
kubeflow/pipelines): resolves parameters, names the outputs, copies artifacts between an object store and the pod's
own disk, fills in ``{{$}}``, starts the command, reads the report strictly, records the outputs.
"""

from __future__ import annotations

import graphlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

REPOSITORY = Path(__file__).parents[2]
SCHEME, MOUNT = "minio://", "minio"
REPORT = "tmp/kfp_outputs/output_metadata.json"
OURS = ("GPT2_ALPACA_", "HF_", "KFP_")

# How recorded artifacts come to a component: as Vertex AI names them; as Kubeflow does, inputs without a type; and
# as the poorest of its releases does, without properties either.
Form = Literal["typed", "system", "bare"]
Launch = Callable[[Sequence[str], Mapping[str, str]], tuple[int, str]]


@dataclass(frozen=True)
class Artifact:
    """What Kubeflow records of an output."""

    identity: int
    uri: str
    type: Mapping[str, str]
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """A task that ran."""

    name: str
    parameters: Mapping[str, Any]
    outputs: Mapping[str, Artifact]
    environment: Mapping[str, str]  # what the pod's specification added
    log: str


class TaskFailedError(RuntimeError):
    """A container ended with another status than 0; the message is its log."""


def in_process_of_its_own(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """Starts the container's command as it stands, with this Python."""
    assert command[0] == "python"
    finished = subprocess.run(
        [sys.executable, *command[1:]],
        cwd=REPOSITORY,
        env={name: value for name, value in os.environ.items() if not name.startswith(OURS)} | dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    return finished.returncode, finished.stdout


@dataclass
class Cluster:
    """An object store, Kubernetes' secrets, and pods that leave nothing behind but their outputs."""

    folder: Path
    form: Form = "system"
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)  # what the image sets
    launch: Launch = in_process_of_its_own
    recorded: dict[tuple[str, str], Artifact] = field(default_factory=dict)
    runs: int = 0

    def run(self, package: Path, *, only: Set[str] | None = None, **parameters: Any) -> dict[str, Task]:
        """Runs the compiled pipeline in `package`, or `only` some of its tasks, one after the other.

        Tasks that are left out count as served from cache, if an earlier run had them.

        Raises:
            TaskFailedError: As soon as a task fails.
        """
        pipeline, platform = yaml.safe_load_all(package.read_text(encoding="utf-8"))
        pods = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        tasks: dict[str, Task] = {}
        self.runs += 1
        for name in order(pipeline):
            if only is None or name in only:
                tasks[name] = self._run_task(name, pipeline, pods, parameters)
        return tasks

    def stored(self, artifact: Artifact) -> Path:
        """The files of a recorded artifact."""
        return self.folder / "store" / artifact.uri.removeprefix(SCHEME)

    def _run_task(
        self, name: str, pipeline: Mapping[str, Any], pods: Mapping[str, Any], parameters: Mapping[str, Any]
    ) -> Task:
        task = pipeline["root"]["dag"]["tasks"][name]
        component = pipeline["components"][task["componentRef"]["name"]]
        label = component["executorLabel"]
        values = dict(resolve(task, component, pipeline["root"], parameters))
        outputs = component.get("outputDefinitions", {}).get("artifacts", {})
        prefix = f"{pipeline['defaultPipelineRoot']}/{pipeline['pipelineInfo']['name']}/run-{self.runs}/{name}"
        addresses = {key: f"{prefix}/{key}" for key in outputs}
        inputs = {
            key: self.recorded[producer(source)] for key, source in task.get("inputs", {}).get("artifacts", {}).items()
        }
        pod = self._prepare_pod(name, inputs.values(), addresses.values())
        invocation = {
            "inputs": {
                "parameterValues": values,
                "artifacts": {key: _list(self._input(key, inputs[key], component)) for key in inputs},
            },
            "outputs": {
                "artifacts": {key: _list(_output(key, addresses[key], outputs[key])) for key in outputs},
                "outputFile": str(pod / REPORT),
            },
        }
        container = pipeline["deploymentSpec"]["executors"][label]["container"]
        environment = dict(self._secrets(pods[label]))
        command = fill_in([*container["command"], *container["args"]], invocation)
        status, log = self.launch(command, {**self.environment, **environment, "KFP_ARTIFACT_MOUNT": str(pod)})
        if status != 0:
            raise TaskFailedError(f"{name} ended with status {status}:\n{log}")
        made = self._record(name, pod, addresses, outputs)
        return Task(name, values, made, environment, log)

    def _prepare_pod(self, name: str, inputs: Iterable[Artifact], addresses: Iterable[str]) -> Path:
        """An empty pod's disk, with the inputs downloaded and folders for the outputs."""
        pod = self.folder / "pods" / name
        (pod / MOUNT).mkdir(parents=True)
        (pod / REPORT).parent.mkdir(parents=True)
        for artifact in inputs:
            if self.stored(artifact).exists():
                shutil.copytree(self.stored(artifact), self._local(pod, artifact.uri))
        for address in addresses:
            self._local(pod, address).parent.mkdir(parents=True, exist_ok=True)
        return pod

    def _record(
        self, name: str, pod: Path, addresses: Mapping[str, str], outputs: Mapping[str, Any]
    ) -> dict[str, Artifact]:
        """Uploads what the pod made and records what it says of it."""
        said = json_format.Parse((pod / REPORT).read_text(encoding="utf-8"), pipeline_spec_pb2.ExecutorOutput())
        made = {}
        for key, address in addresses.items():
            told = said.artifacts[key].artifacts[0]
            assert told.uri == address, f"Kubeflow would record {told.uri}"
            said_of_it = json_format.MessageToDict(told.metadata)
            metadata = {name: as_recorded(value) for name, value in said_of_it.items()}
            local = self._local(pod, address)
            if local.exists():
                shutil.copytree(local, self.folder / "store" / address.removeprefix(SCHEME))
            made[key] = self.recorded[name, key] = Artifact(
                self.runs * 100 + len(self.recorded), address, outputs[key]["artifactType"], metadata
            )
        shutil.rmtree(pod)
        return made

    def _input(self, key: str, artifact: Artifact, component: Mapping[str, Any]) -> dict[str, Any]:
        known: dict[str, Any] = {"name": str(artifact.identity), "uri": artifact.uri}
        if self.form == "bare":
            return known
        known["metadata"] = dict(artifact.metadata)
        if self.form == "typed":
            known["type"] = component["inputDefinitions"]["artifacts"][key]["artifactType"]
        return known

    def _secrets(self, pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for secret in pod.get("secretAsEnv", []):
            for entry in secret["keyToEnv"]:
                yield entry["envVar"], self.secrets[secret["secretName"]][entry["secretKey"]]

    @staticmethod
    def _local(pod: Path, address: str) -> Path:
        return pod / MOUNT / address.removeprefix(SCHEME)


def order(pipeline: Mapping[str, Any]) -> list[str]:
    """The tasks, each after those that it depends on; alphabetical where there is a choice."""
    tasks = pipeline["root"]["dag"]["tasks"]
    sorter = graphlib.TopologicalSorter({name: tasks[name].get("dependentTasks", []) for name in sorted(tasks)})
    return list(sorter.static_order())


def resolve(
    task: Mapping[str, Any], component: Mapping[str, Any], root: Mapping[str, Any], given: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """A task's parameters: constants, the pipeline's own, or their defaults."""
    declared = component.get("inputDefinitions", {}).get("parameters", {})
    for key, source in task.get("inputs", {}).get("parameters", {}).items():
        assert key in declared, f"{key} is not declared"
        if "componentInputParameter" in source:
            name = source["componentInputParameter"]
            yield key, given.get(name, root["inputDefinitions"]["parameters"][name]["defaultValue"])
        else:
            yield key, source["runtimeValue"]["constant"]


def as_recorded(value: Any) -> Any:
    """A property as it comes out of Kubeflow's store, which wraps what is no number or text and refuses null."""
    assert value is not None, "Kubeflow cannot record null"
    if isinstance(value, list):
        return {"list": value}
    if isinstance(value, dict):
        return {"struct": value}
    return float(value) if isinstance(value, bool) else value


def producer(source: Mapping[str, Any]) -> tuple[str, str]:
    """The task and its output that an input comes from."""
    output = source["taskOutputArtifact"]
    return output["producerTask"], output["outputArtifactKey"]


def fill_in(command: Sequence[str], invocation: Mapping[str, Any]) -> list[str]:
    """The command with the executor input in the place of ``{{$}}``."""
    checked = json_format.ParseDict(invocation, pipeline_spec_pb2.ExecutorInput())
    return [json_format.MessageToJson(checked) if part == "{{$}}" else part for part in command]


def _list(artifact: Mapping[str, Any]) -> dict[str, Any]:
    return {"artifacts": [artifact]}


def _output(key: str, address: str, definition: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": key, "uri": address, "type": definition["artifactType"], "metadata": {}}
