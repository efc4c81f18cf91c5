"""ImportExampleGen with this project's executor."""

from __future__ import annotations

from google.protobuf import wrappers_pb2
from tfx.components import FileBasedExampleGen
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.proto import example_gen_pb2

from pipeline.components.example_gen.executor import Executor


def import_example_gen(
    *, input_base: str, input_config: example_gen_pb2.Input, fingerprint: str
) -> FileBasedExampleGen:
    """Returns the component that reads TFRecords of examples.

    Args:
        input_base: folder, or address, of the files.
        input_config: patterns of the splits' files.
        fingerprint: what a cached result depends on besides the files that match a pattern, the only ones that TFX
            looks at.
    """
    custom_config = example_gen_pb2.CustomConfig()
    custom_config.custom_config.Pack(wrappers_pb2.StringValue(value=fingerprint))
    example_gen = FileBasedExampleGen(
        input_base=input_base,
        input_config=input_config,
        custom_config=custom_config,
        custom_executor_spec=BeamExecutorSpec(Executor),
    )
    return example_gen.with_id("ImportExampleGen")
