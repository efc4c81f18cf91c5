"""The DataGate executor: reads the artifacts, calls the checks, records the counts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx import types
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME as ANOMALIES_FILE
from tfx.components.statistics_gen.executor import DEFAULT_FILE_NAME as STATISTICS_FILE
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils

from pipeline.components.data_gate import checks

REPORT_FILE = "report.json"

Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Raises if the data are not fit for training."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Checks schema, statistics, anomalies and every row, and reports all problems together.

        Args:
            input_dict: `examples`, `statistics`, `schema`, `anomalies`.
            output_dict: `blessing`, whose folder gets report.json with the rows per split.
            exec_properties: none.

        Raises:
            DataGateError: With every problem.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        inputs = {key: artifact_utils.get_single_instance(artifacts) for key, artifacts in input_dict.items()}
        statistics = inputs["statistics"]
        problems = checks.schema_problems(_schema(inputs["schema"]))
        problems += checks.statistics_problems({split: _statistics(statistics, split) for split in _splits(statistics)})
        for split in _splits(inputs["anomalies"]):
            problems += checks.anomaly_problems(_anomalies(inputs["anomalies"], split), split=split)
        contents = {
            split: checks.check_content(_records(inputs["examples"], split), split=split)
            for split in _splits(inputs["examples"])
        }
        problems += [problem for content in contents.values() for problem in content.problems]
        if problems:
            raise checks.DataGateError(problems)
        rows = {split: content.rows for split, content in contents.items()}
        _bless(artifact_utils.get_single_instance(output_dict["blessing"]), rows)


def _bless(blessing: types.Artifact, rows: dict[str, int]) -> None:
    for split, count in rows.items():
        blessing.set_int_custom_property(f"{split}_rows", count)
    io_utils.write_string_file(os.path.join(blessing.uri, REPORT_FILE), json.dumps({"rows": rows}))  # noqa: PTH118 - a URI


def _splits(artifact: types.Artifact) -> list[str]:
    return list(artifact_utils.decode_split_names(artifact.split_names))


def _read(artifact: types.Artifact, split: str, name: str) -> bytes:
    uri = os.path.join(artifact_utils.get_split_uri([artifact], split), name)  # noqa: PTH118 - a URI
    with fileio.open(uri, "rb") as file:
        return bytes(file.read())


def _statistics(artifact: types.Artifact, split: str) -> statistics_pb2.DatasetFeatureStatisticsList:
    return statistics_pb2.DatasetFeatureStatisticsList.FromString(_read(artifact, split, STATISTICS_FILE))


def _anomalies(artifact: types.Artifact, split: str) -> anomalies_pb2.Anomalies:
    return anomalies_pb2.Anomalies.FromString(_read(artifact, split, ANOMALIES_FILE))


def _schema(artifact: types.Artifact) -> schema_pb2.Schema:
    return io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(artifact.uri))


def _records(examples: types.Artifact, split: str) -> Iterator[bytes]:
    """Serialized examples of a split, wherever the artifact lies."""
    import tensorflow as tf

    pattern = os.path.join(artifact_utils.get_split_uri([examples], split), "*")  # noqa: PTH118 - a URI
    for path in sorted(tf.io.gfile.glob(pattern)):
        compression = "GZIP" if path.endswith(".gz") else ""
        yield from tf.data.TFRecordDataset(path, compression_type=compression).as_numpy_iterator()
