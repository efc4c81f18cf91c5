"""The nodes that read the rows, describe them, and stop the run on bad data."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

from tfx.components import ExampleValidator, SchemaGen, StatisticsGen
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.proto import example_gen_pb2
from tfx.types import BaseChannel, Channel

from pipeline.components.data_gate.anomalies import Limits
from pipeline.components.data_gate.artifact import DataBlessing
from pipeline.components.data_gate.component import DataGate
from pipeline.components.data_gate.earlier import EARLIER, STATISTICS, LastAcceptedDataStrategy
from pipeline.components.data_gate.tokens import TokenLimits
from pipeline.components.evaluator.baseline import MODEL
from pipeline.components.example_gen.component import import_example_gen
from pipeline.components.model_downloader.component import ModelDownloader
from pipeline.config import PipelineConfig
from pipeline.config.data import DataConfig
from pipeline.config.rules import context_length
from pipeline.dataset_manifest import dataset_manifest
from pipeline.layout import absolute
from pipeline.nodes.models import custom_code_fingerprint, located_model

INFER_SCHEMA = "infer"
# Fields, or groups of them, that decide how many tokens a row has and may have.
DECIDING_LENGTHS = ("model.", "training.sequence_length", "training.overlong")


@dataclass(frozen=True)
class DescribedData:
    """The nodes that read the rows and describe them.

    Attributes:
        example_gen: reads the rows.
        statistics_gen: describes each split.
        schema_gen: infers the schema, or imports a curated one.
        example_validator: compares the statistics with the schema.
    """

    example_gen: BaseNode
    statistics_gen: BaseNode
    schema_gen: BaseNode
    example_validator: BaseNode

    @property
    def nodes(self) -> list[BaseNode]:
        """Returns all of them."""
        return [self.example_gen, self.statistics_gen, self.schema_gen, self.example_validator]

    @property
    def examples(self) -> BaseChannel:
        """Returns the channel of the rows."""
        return self.example_gen.outputs["examples"]

    @property
    def statistics(self) -> BaseChannel:
        """Returns the channel of the splits' statistics."""
        return self.statistics_gen.outputs["statistics"]

    @property
    def schema(self) -> BaseChannel:
        """Returns the channel of the schema."""
        return self.schema_gen.outputs["schema"]

    @property
    def anomalies(self) -> BaseChannel:
        """Returns the channel of what does not fit the schema."""
        return self.example_validator.outputs["anomalies"]


def describe_data(config: PipelineConfig, project_dir: str) -> DescribedData:
    """Returns the nodes that read and describe the rows of `config.data`."""
    example_gen = import_example_gen(
        input_base=absolute(config.data.path, project_dir),
        input_config=_splits(config.data),
        manifest_hash=_manifest_hash(config.data),
    )
    statistics_gen = StatisticsGen(examples=example_gen.outputs["examples"])
    statistics = statistics_gen.outputs["statistics"]
    schema_gen = _make_schema_gen(config.data.schema_, statistics, project_dir)
    validator = ExampleValidator(statistics=statistics, schema=schema_gen.outputs["schema"])
    return DescribedData(example_gen, statistics_gen, schema_gen, validator)


def make_data_resolver(config: PipelineConfig, data: DescribedData, project_dir: str) -> Resolver:
    """Returns the node that finds the rows of the last accepted run, to compare with."""
    channels = {EARLIER: Channel(type=DataBlessing), STATISTICS: data.statistics}
    settings = {"dataset": absolute(config.data.path, project_dir)}
    return Resolver(strategy_class=LastAcceptedDataStrategy, config=settings, **channels).with_id("DataResolver")


def make_data_gate(
    config: PipelineConfig,
    data: DescribedData,
    *,
    resolver: Resolver | None,
    initial_model: ModelDownloader | None,
    project_dir: str,
) -> DataGate:
    """Returns the node that stops the run on bad data.

    Args:
        config: of the pipeline.
        data: the rows to check.
        resolver: finds the rows to compare with; None where a component cannot look up what earlier runs made.
        initial_model: whose tokenizer counts the tokens, if it is downloaded.
        project_dir: folder of this project where the component will run.
    """
    return DataGate(
        examples=data.examples,
        statistics=data.statistics,
        schema=data.schema,
        anomalies=data.anomalies,
        earlier=resolver.outputs[EARLIER] if resolver else None,
        base_model=initial_model.outputs[MODEL] if initial_model else None,
        limits=_limits(config.data),
        dataset=absolute(config.data.path, project_dir),
        kind=config.data.kind,
        tokens=token_limits(config, project_dir, has_history=resolver is not None),
        allow=config.data.allow_anomalies,
    )


def token_limits(config: PipelineConfig, project_dir: str = "", *, has_history: bool = True) -> TokenLimits | None:
    """Returns what DataGate counts tokens with; None if documents may have any length, or a run may still set it.

    Args:
        config: of the pipeline.
        project_dir: folder of this project where DataGate will run.
        has_history: whether the pipeline runs here; where it is compiled for Kubeflow, a run has parameters.
    """
    settable = () if has_history else config.kubeflow.parameters
    if config.data.kind != "instructions" or any(field.startswith(DECIDING_LENGTHS) for field in settable):
        return None
    model, hashes = located_model(config.model, project_dir)
    context = context_length(config)
    return TokenLimits(
        sequence_length=config.training.sequence_length,
        overlong=config.training.overlong,
        dropped=config.data.max_dropped,
        preset=model.preset,
        tokenizer_path=model.tokenizer_path,
        vocabulary_size=model.vocabulary_size,
        context=None if math.isinf(context) else int(context),
        given="".join([*hashes, custom_code_fingerprint(config)]),
        prompt_format=config.data.prompt_format,
        family=config.model.family,
    )


def _limits(data: DataConfig) -> Limits:
    return Limits(
        prompt_characters=data.max_prompt_characters,
        response_characters=data.max_response_characters,
        overlong=data.max_overlong,
        duplicates=data.max_duplicates,
        eval_in_train=data.max_eval_in_train,
        skew=data.max_skew,
        drift=data.max_drift,
    )


def _manifest_hash(data: DataConfig) -> str:
    """Returns a hash of the data set's dataset.json, which TFX's cache key does not cover; "" if it has none."""
    manifest = dataset_manifest(data)
    return hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest else ""


def _splits(data: DataConfig) -> example_gen_pb2.Input:
    split = example_gen_pb2.Input.Split
    return example_gen_pb2.Input(
        splits=[
            split(name="train", pattern=data.train_pattern),
            split(name="eval", pattern=data.eval_pattern),
        ]
    )


def _make_schema_gen(schema: str, statistics: BaseChannel, project_dir: str) -> BaseNode:
    if schema == INFER_SCHEMA:
        return SchemaGen(statistics=statistics, infer_feature_shape=True)
    importer = ImportSchemaGen(schema_file=absolute(schema, project_dir))
    # The path alone is in TFX's cache key; a flag of the executor, which it ignores, puts the contents there
    # too.
    importer.executor_spec.add_extra_flags(
        [f"--schema_sha256={hashlib.sha256(Path(absolute(schema)).read_bytes()).hexdigest()}"]
    )
    return importer
