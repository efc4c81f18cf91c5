"""The DataGate component: its inputs, parameters and output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from data.tfrecords import Kind
from modules.fingerprint import fingerprint
from pipeline.components.data_gate.anomalies import Limits
from pipeline.components.data_gate.artifact import DataBlessing
from pipeline.components.data_gate.executor import Executor
from pipeline.components.data_gate.tokens import TokenLimits


class DataGateSpec(ComponentSpec):
    """Inputs, parameters and outputs of DataGate."""

    PARAMETERS: dict[str, Any] = {  # noqa: RUF012 - TFX reads class attributes
        "dataset": ExecutionParameter(type=str),
        "kind": ExecutionParameter(type=str),
        "limits": ExecutionParameter(type=str),  # JSON
        "tokens": ExecutionParameter(type=str, optional=True),  # JSON
        "allow": ExecutionParameter(type=str),  # JSON
        "fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "schema": ChannelParameter(type=standard_artifacts.Schema),
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "earlier": ChannelParameter(type=DataBlessing, optional=True),
        "base_model": ChannelParameter(type=standard_artifacts.Model, optional=True),
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
        limits: Limits,
        dataset: str,
        kind: Kind = "instructions",
        tokens: TokenLimits | None = None,
        allow: Sequence[str] = (),
        earlier: types.BaseChannel | None = None,
        base_model: types.BaseChannel | None = None,
    ) -> None:
        """Describes the gate.

        Args:
            examples: what to train on; every row is read.
            statistics: from StatisticsGen.
            schema: curated or inferred.
            anomalies: from ExampleValidator.
            limits: from where on the rows are unusual.
            dataset: the folder of the data; rows of other folders are not compared.
            kind: of what the rows are.
            tokens: how long the rows may be for the Trainer; None if tokens are not to be counted.
            allow: names of anomalies that are let through.
            earlier: the last accepted run's DataBlessing, if it can be looked up.
            base_model: what training starts from, if that is an artifact: its tokenizer counts the tokens.
        """
        super().__init__(
            DataGateSpec(
                examples=examples,
                statistics=statistics,
                schema=schema,
                anomalies=anomalies,
                earlier=earlier,
                base_model=base_model,
                dataset=dataset,
                kind=kind,
                limits=json.dumps(asdict(limits), sort_keys=True),
                tokens=json.dumps(asdict(tokens), sort_keys=True) if tokens else None,
                allow=json.dumps(sorted(allow)),
                fingerprint=fingerprint(Executor.__module__),
                blessing=types.Channel(type=DataBlessing),
            )
        )
