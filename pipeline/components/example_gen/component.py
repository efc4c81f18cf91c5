"""ImportExampleGen with this project's executor."""

from __future__ import annotations

from google.protobuf import wrappers_pb2
from tfx.components import FileBasedExampleGen
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.proto import example_gen_pb2

from modules.fingerprint import fingerprint
from pipeline.components.example_gen.executor import Executor


def import_example_gen(
    *, input_base: str, input_config: example_gen_pb2.Input, manifest_hash: str
) -> FileBasedExampleGen:
    """Returns the component that reads TFRecords of examples.

    Args:
        input_base: folder, or address, of the files.
        input_config: patterns of the splits' files.
        manifest_hash: of dataset.json, which matches no pattern, so that TFX does not look at it; empty without one.
    """
    custom_config = example_gen_pb2.CustomConfig()
    # TFX's cache key covers neither the code nor dataset.json; the executor ignores this.
    custom_config.custom_config.Pack(wrappers_pb2.StringValue(value=fingerprint(Executor.__module__) + manifest_hash))
    example_gen = FileBasedExampleGen(
        input_base=input_base,
        input_config=input_config,
        custom_config=custom_config,
        custom_executor_spec=BeamExecutorSpec(Executor),
    )
    return example_gen.with_id("ImportExampleGen")
