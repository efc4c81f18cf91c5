"""The AnswerQuality component: its inputs, parameters and output."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from modules.fingerprint import fingerprint
from pipeline.components.answer_quality.artifact import AnswerSample
from pipeline.components.answer_quality.executor import Executor

SEED = 42


class AnswerQualitySpec(ComponentSpec):
    """Inputs, parameters and outputs of AnswerQuality."""

    PARAMETERS = {  # noqa: RUF012 - TFX reads class attributes
        "rows": ExecutionParameter(type=int),
        "seed": ExecutionParameter(type=int),
        "thresholds": ExecutionParameter(type=str),  # JSON
        "against_baseline": ExecutionParameter(type=str),  # JSON
        "fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "model": ChannelParameter(type=standard_artifacts.Model),
        "baseline_model": ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS = {"answers": ChannelParameter(type=AnswerSample)}  # noqa: RUF012


class AnswerQuality(base_component.BaseComponent):
    """Asks a model a fixed sample of the evaluation split, and the last blessed model the same."""

    SPEC_CLASS = AnswerQualitySpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        rows: int,
        baseline_model: types.BaseChannel | None = None,
        thresholds: Sequence[str] = (),
        against_baseline: Sequence[str] = (),
        seed: int = SEED,
    ) -> None:
        """Describes one round of questions.

        Args:
            examples: raw rows with the split `eval`.
            model: what to ask.
            rows: how many rows of the split.
            baseline_model: what to ask the same, if there is any.
            thresholds: conditions on the figures, as the configuration writes them.
            against_baseline: conditions on their change.
            seed: of the sample.
        """
        super().__init__(
            AnswerQualitySpec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                rows=rows,
                seed=seed,
                thresholds=json.dumps(list(thresholds)),
                against_baseline=json.dumps(list(against_baseline)),
                fingerprint=fingerprint(Executor.__module__),
                answers=types.Channel(type=AnswerSample),
            )
        )
