"""The DataGate executor: reads the artifacts, calls the checks, stops the run or records what it saw."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from functools import partial
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx import types
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME as ANOMALIES_FILE
from tfx.components.statistics_gen.executor import DEFAULT_FILE_NAME as STATISTICS_FILE
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils

from data.origin import MANIFEST, Origin, parse_origin
from pipeline.components.artifact_reference import ArtifactReference
from pipeline.components.data_gate import checks
from pipeline.components.data_gate.anomalies import Limits
from pipeline.components.data_gate.earlier import DATASET, EARLIER, STATISTICS_ID
from pipeline.components.data_gate.inspection import inspect
from pipeline.components.data_gate.record import DataRecord
from pipeline.components.data_gate.rules import TRAIN
from pipeline.components.data_gate.tokens import TokenLimits, TokenSurvey, survey_tokens

logger = logging.getLogger(__name__)

BASE_MODEL = "base_model"
OPTIONAL = (EARLIER, BASE_MODEL)  # inputs
NOT_COUNTED = "dropped was not looked at: a run may still set how long its rows are, so the Trainer counts"

Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Raises if the data are not fit for training."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Checks schema, statistics, anomalies and every row, and reports all problems together.

        Args:
            input_dict: `examples`, `statistics`, `schema`, `anomalies`, and where there is one `earlier` and
                `base_model`.
            output_dict: `blessing`, whose folder gets the record. TFX removes that folder if the rows are refused: then
                the record goes beside the executor's own output.
            exec_properties: the parameters of `DataGateSpec`.

        Raises:
            DataGateError: With every problem.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        given, base_model = (input_dict.get(key) or [] for key in OPTIONAL)
        inputs = {key: artifact_utils.get_single_instance(input_dict[key]) for key in input_dict.keys() - {*OPTIONAL}}
        statistics, examples = inputs["statistics"], inputs["examples"]
        problems = checks.schema_problems(_schema(inputs["schema"]))
        problems += checks.statistics_problems({split: _statistics(statistics, split) for split in _splits(statistics)})
        inspection = inspect(
            {split: _records(examples, split) for split in _splits(examples)},
            limits=Limits(**json.loads(exec_properties["limits"])),
            validated={split: _anomalies(inputs["anomalies"], split) for split in _splits(inputs["anomalies"])},
            earlier=DataRecord.find(given[0].uri) if given else None,
            kind=exec_properties["kind"],
            tokens=_tokens(exec_properties.get("tokens"), examples, base_model),
        )
        allow = frozenset(json.loads(exec_properties["allow"]))
        problems += inspection.problems(allow)
        uncounted = exec_properties["kind"] == "instructions" and inspection.tokens is None
        notes = (*inspection.notes, *([NOT_COUNTED] if uncounted else []))
        earlier = ArtifactReference.of(given[0]) if given else None
        record = inspection.record(allow).model_copy(update={"notes": notes, "earlier": earlier})
        if problems:
            self._keep_refused(record.model_copy(update={"problems": tuple(problems)}))
            raise checks.DataGateError(problems)
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        blessing.set_string_custom_property(DATASET, exec_properties["dataset"])
        blessing.set_int_custom_property(STATISTICS_ID, statistics.id)
        _bless(blessing, record.model_copy(update={"dataset": _dataset(examples)}))

    def _keep_refused(self, record: DataRecord) -> None:
        output = self._context.executor_output_uri if self._context else None
        if output:
            record.write(os.path.dirname(output))  # noqa: PTH120 - a URI


def _tokens(limits: str | None, examples: types.Artifact, base_model: list[types.Artifact]) -> TokenSurvey | None:
    if not limits or TRAIN not in _splits(examples):
        return None
    model = base_model[0].uri if base_model else None
    return survey_tokens(partial(_records, examples, TRAIN), TokenLimits(**json.loads(limits)), model=model)


def _bless(blessing: types.Artifact, record: DataRecord) -> None:
    for allowed in record.allowed:
        logger.warning("Let through by data.allow_anomalies: %s.", allowed)
    for split, count in record.rows.items():
        blessing.set_int_custom_property(f"{split}_rows", count)
    record.write(blessing.uri)


def _dataset(examples: types.Artifact) -> Origin | None:
    """Returns what ImportExampleGen found beside the rows; None if there was nothing."""
    path = os.path.join(examples.uri, MANIFEST)  # noqa: PTH118 - a URI
    if not fileio.exists(path):
        return None
    with fileio.open(path, "rb") as file:
        return parse_origin(file.read(), path)


def _splits(artifact: types.Artifact) -> list[str]:
    """Returns the names of the splits, `train` first: other splits are compared with it."""
    return sorted(artifact_utils.decode_split_names(artifact.split_names), key=lambda name: (name != "train", name))


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
    """Yields the serialized examples of a split, wherever the artifact lies."""
    import tensorflow as tf

    pattern = os.path.join(artifact_utils.get_split_uri([examples], split), "*")  # noqa: PTH118 - a URI
    for path in sorted(tf.io.gfile.glob(pattern)):
        compression = "GZIP" if path.endswith(".gz") else ""
        yield from tf.data.TFRecordDataset(path, compression_type=compression).as_numpy_iterator()
