"""The DataGate component: its inputs and output."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec

from pipeline.components.data_gate.executor import Executor


class DataBlessing(types.artifact.Artifact):
    """Says that the data passed the gate; custom properties `train_rows` and `eval_rows`, and report.json."""

    TYPE_NAME = "pipeline.DataBlessing"  # Kubeflow's compiler wants a namespace in it


class DataGateSpec(ComponentSpec):
    """What DataGate reads and writes."""

    PARAMETERS: dict[str, Any] = {}  # noqa: RUF012 - TFX reads class attributes
    INPUTS = {  # noqa: RUF012
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "schema": ChannelParameter(type=standard_artifacts.Schema),
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
    }
    OUTPUTS = {  # noqa: RUF012
        "blessing": ChannelParameter(type=DataBlessing),
    }


class DataGate(base_component.BaseComponent):
    """Stops the run, with the anomalies' own words, before anything is trained on bad data.

    Components that must not see bad data name it as upstream: ``transform.add_upstream_node(gate)``.
    """

    SPEC_CLASS = DataGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        statistics: types.BaseChannel,
        schema: types.BaseChannel,
        anomalies: types.BaseChannel,
    ) -> None:
        """Describes the gate.

        Args:
            examples: what to train on; every row is read.
            statistics: from StatisticsGen.
            schema: curated or inferred.
            anomalies: from ExampleValidator.
        """
        super().__init__(
            DataGateSpec(
                examples=examples,
                statistics=statistics,
                schema=schema,
                anomalies=anomalies,
                blessing=types.Channel(type=DataBlessing),
            )
        )
