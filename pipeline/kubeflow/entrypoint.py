"""Runs one component in its container on Kubeflow: TFX's own entrypoint, with open-source Kubeflow's gaps filled.

TFX's ``kubeflow_v2_run_executor`` was written for Vertex AI. What it relies on and open-source Kubeflow does not do:

1. Artifacts arrive as ``system.*`` types, or as inputs without any type: Kubeflow records a title at best, and TFX
   would import ``system.Model`` as a class, or parse None as YAML. Here the compiled arguments name the classes.
2. Properties may be missing, where a release stores the launcher's view of an artifact only. Those that TFX cannot
   do without are read off the files: the splits, and whether a model is blessed.
3. Addresses are of an object store (``minio://``, ``s3://``), which TensorFlow cannot open. Kubeflow's launcher
   downloads inputs to, and uploads outputs from, a folder per store, so the component works there; the addresses
   are put back into what it reports.
4. The hook that finds the newest span of the data (``preCacheCheck``) is never called; it is called here.
5. Parameters of a run reach Trainer beside its ``custom_config``; they are put into it. A scheduled run's
   ``[[ScheduledTime]]`` is left as it is; it is filled in.
6. Native threads of TensorFlow, Arrow and gRPC may abort the interpreter while it shuts down ("pure virtual method
   called"), which would fail a pod whose work is done. The process ends without that shutdown.

    python -m pipeline.kubeflow.entrypoint --executor_class_path … --json_serialized_invocation_args … [beam options]
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipeline.kubeflow.macros import fill_in
from pipeline.kubeflow.parameters import apply_parameters

# Folders in which Kubeflow's launcher keeps its copies, by scheme.
MOUNTS = {"gs": "gcs", "minio": "minio", "s3": "s3"}
# Where these folders are, for a container's command that is run outside of a container.
MOUNT_VARIABLE = "KFP_ARTIFACT_MOUNT"
SPLIT_PREFIX = "Split-"
# The file by which a blessing says yes, by artifact class.
BLESSED_FILES = {"ModelBlessing": "BLESSED", "InfraBlessing": "INFRA_BLESSED"}
SPLIT_CLASSES = ("Examples", "ExampleStatistics", "ExampleAnomalies", "ExamplesDiff")


def run(arguments: Sequence[str], mount: Path) -> None:
    """Runs the component that `arguments` describe.

    Args:
        arguments: as compiled; those of Beam among them.
        mount: folder in which the launcher's folders for the object stores are.
    """
    args, beam_arguments = parse(arguments)
    types = json.loads(args.artifact_types)
    invocation = json_format.Parse(
        args.json_serialized_invocation_args, pipeline_spec_pb2.ExecutorInput(), ignore_unknown_fields=True
    )
    addresses = use_local_copies(invocation, mount)
    restore_types(invocation, types)
    restore_properties(invocation, types)
    use_parameters(invocation)
    spec = json_format.Parse(args.json_serialized_inputs_spec_args, pipeline_spec_pb2.ComponentInputsSpec())
    if args.resolve_span:
        resolve_span(invocation, spec)
    execute(args, invocation, beam_arguments)
    restore_addresses(Path(invocation.outputs.output_file), addresses)


def parse(arguments: Sequence[str]) -> tuple[Namespace, list[str]]:
    """Returns the flags of the compiled container, and the rest, which is Beam's."""
    parser = ArgumentParser(allow_abbrev=False)
    parser.add_argument("--executor_class_path", required=True)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args", default="{}")
    parser.add_argument("--artifact_types", default='{"inputs": {}, "outputs": {}}')
    parser.add_argument("--resolve_span", action="store_true")
    return parser.parse_known_args(arguments)


# ------------------------------------------------------------------------------------------------ Before the run


def use_local_copies(invocation: Any, mount: Path) -> dict[str, str]:
    """Points every artifact to the launcher's copy of it.

    A store without a folder is left alone: there the component reads and writes the address itself.

    Returns:
        The address of each output, by its local folder.
    """
    addresses = {}
    for side, _, artifact in _artifacts(invocation):
        local = local_copy(artifact.uri, mount)
        if side == "outputs":
            addresses[local] = artifact.uri
        artifact.uri = local
    return addresses


def local_copy(address: str, mount: Path) -> str:
    """Returns where the launcher keeps the artifact at `address`; the address itself if it keeps none."""
    scheme, separator, path = address.partition("://")
    if not separator or scheme not in MOUNTS or not (mount / MOUNTS[scheme]).is_dir():
        return address
    return str(mount / MOUNTS[scheme] / path)


def restore_types(invocation: Any, types: Mapping[str, Mapping[str, str]]) -> None:
    """Names every artifact's class; an unnamed one keeps what Kubeflow said."""
    for side, key, artifact in _artifacts(invocation):
        if key in types[side]:
            artifact.type.Clear()
            artifact.type.schema_title = types[side][key]


def restore_properties(invocation: Any, types: Mapping[str, Mapping[str, str]]) -> None:
    """Reads missing properties of inputs off their files."""
    for side, key, artifact in _artifacts(invocation):
        folder = Path(artifact.uri)
        if side == "outputs" or not folder.is_dir():
            continue
        kind = types["inputs"].get(key, "").rpartition(".")[2]
        if kind in SPLIT_CLASSES and not artifact.metadata.fields["split_names"].string_value:
            splits = sorted(path.name.removeprefix(SPLIT_PREFIX) for path in folder.glob(f"{SPLIT_PREFIX}*"))
            artifact.metadata.update({"split_names": json.dumps(splits)})
        if kind in BLESSED_FILES and "blessed" not in artifact.metadata:
            artifact.metadata.update({"blessed": int((folder / BLESSED_FILES[kind]).exists())})


def use_parameters(invocation: Any) -> None:
    """Puts a run's parameters where the component looks for them, with the time where they ask for it."""
    given = invocation.inputs.parameter_values
    values = {name: json_format.MessageToDict(value) for name, value in given.items()}
    now = datetime.now(UTC)
    filled = {name: fill_in(value, now) if isinstance(value, str) else value for name, value in values.items()}
    chosen = apply_parameters(filled)
    for name in values.keys() - chosen.keys():
        del given[name]
    for name in (name for name in chosen if chosen[name] != values[name]):
        json_format.ParseDict(chosen[name], given[name])


def resolve_span(invocation: Any, spec: Any) -> None:
    """Has TFX look for the newest span of the data; it leaves its finding where its entrypoint looks for it.

    The finding also holds properties of the examples, which Kubeflow would hand to the component.
    """
    from tfx.orchestration.kubeflow.v2.file_based_example_gen import driver

    driver._run_driver(invocation, spec)  # its main() takes the two as texts only
    finding = json.loads(Path(invocation.outputs.output_file).read_text(encoding="utf-8"))
    for key, found in finding.get("artifacts", {}).items():
        invocation.outputs.artifacts[key].artifacts[0].metadata.update(found["artifacts"][0].get("metadata", {}))


# ------------------------------------------------------------------------------------------ The run, and after it


def execute(args: Namespace, invocation: Any, beam_arguments: list[str]) -> None:
    """Hands over to TFX, which imports the executor, calls it, and writes what became of the outputs."""
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

    handed = Namespace(
        executor_class_path=args.executor_class_path,
        json_serialized_invocation_args=json_format.MessageToJson(invocation),
        json_serialized_inputs_spec_args=args.json_serialized_inputs_spec_args,
    )
    kubeflow_v2_run_executor.main((handed, beam_arguments))


def restore_addresses(report: Path, addresses: Mapping[str, str]) -> None:
    """Puts the outputs' addresses back into the report, where Kubeflow would record the local folders."""
    content = json.loads(report.read_text(encoding="utf-8"))
    for listed in content.get("artifacts", {}).values():
        for artifact in listed["artifacts"]:
            artifact["uri"] = addresses.get(artifact["uri"], artifact["uri"])
    report.write_text(json.dumps(content), encoding="utf-8")


def end(status: int) -> None:
    """Ends the process without the interpreter's shutdown, in which native threads may abort it."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs the command; returns its exit status. A known error's message is the last line of the pod's log."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        run(arguments, Path(environment.get(MOUNT_VARIABLE, "/")))
    except Exception as error:  # noqa: BLE001 - the last line of defence: shown in full, then in one sentence
        traceback.print_exc()
        if getattr(error, "user_message", False):
            sys.stderr.write(f"\n{error}\n")
        return 1
    return 0


def _artifacts(invocation: Any) -> Iterator[tuple[str, str, Any]]:
    for side in ("inputs", "outputs"):
        for key, listed in getattr(invocation, side).artifacts.items():
            for artifact in listed.artifacts:
                yield side, key, artifact


if __name__ == "__main__":
    end(main(sys.argv[1:], os.environ))
