"""The executor: TFX's own, which leaves every row complete and dataset.json beside the splits."""

from __future__ import annotations

import os
from typing import Any

import apache_beam as beam
import tensorflow as tf
from tfx import types
from tfx.components.example_gen.import_example_gen import executor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, proto_utils

from data.origin import MANIFEST, manifest_paths, parse_origin
from data.tfrecords import MAY_BE_ABSENT, lacks

Artifacts = dict[str, list[types.Artifact]]


class Executor(executor.Executor):
    """Imports examples. Here, and here alone, the pipeline reads `data.path`."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Writes `examples`, and beside its splits the data set's dataset.json, if it has one.

        Raises:
            SourceError: If that file says what it cannot.
        """
        manifest = _read_manifest(exec_properties)
        super().Do(input_dict, output_dict, exec_properties)
        if manifest is not None:
            folder = artifact_utils.get_single_uri(output_dict[standard_component_specs.EXAMPLES_KEY])
            io_utils.write_string_file(os.path.join(folder, MANIFEST), manifest)  # noqa: PTH118 - a URI

    def GenerateExamplesByBeam(  # noqa: N802 - TFX's name
        self, pipeline: beam.Pipeline, exec_properties: dict[str, Any]
    ) -> dict[str, beam.PCollection]:
        """Returns the examples by split, all with the same features."""
        splits = super().GenerateExamplesByBeam(pipeline, exec_properties)
        return {name: rows | f"Complete[{name}]" >> beam.Map(completed) for name, rows in splits.items()}


def completed(example: tf.train.Example) -> tf.train.Example:
    """Returns `example` with an empty text where a row may have none: the schema and Transform know no absent ones."""
    absent = [field for field in MAY_BE_ABSENT if lacks(example.features.feature, field)]
    if not absent:
        return example
    whole = tf.train.Example()
    whole.CopyFrom(example)  # Beam's elements must stay as they are
    for field in absent:
        whole.features.feature[field].bytes_list.value[:] = [b""]
    return whole


def _read_manifest(exec_properties: dict[str, Any]) -> str | None:
    """Returns the text of the dataset.json that belongs to the training rows; None without one."""
    base = exec_properties[standard_component_specs.INPUT_BASE_KEY]
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.INPUT_CONFIG_KEY], config)
    files = sorted(fileio.glob(os.path.join(base, config.splits[0].pattern)))  # noqa: PTH118 - a URI
    places = manifest_paths(base, files[0]) if files else []
    place = next(filter(fileio.exists, places), None)
    if place is None:
        return None
    with fileio.open(place, "rb") as file:
        return parse_origin(file.read(), place).render()
