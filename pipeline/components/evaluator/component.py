"""The Evaluator component: its inputs, parameters and outputs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from modules.fingerprint import fingerprint
from pipeline.components.answer_quality.artifact import AnswerSample
from pipeline.components.evaluator.executor import Executor

SLICES_MODULE = "pipeline.components.evaluator.slices"  # where TFX's Evaluator looks for the extractors


class EvaluatorSpec(ComponentSpec):
    """Inputs, parameters and outputs of Evaluator; names as in TFX's own."""

    PARAMETERS = {  # noqa: RUF012 - TFX reads class attributes
        "thresholds": ExecutionParameter(type=str),  # JSON
        "against_baseline": ExecutionParameter(type=str),  # JSON
        "slices": ExecutionParameter(type=str),  # JSON
        "example_splits": ExecutionParameter(type=str),
        "fairness_indicator_thresholds": ExecutionParameter(type=str, optional=True),
        "module_path": ExecutionParameter(type=str),
        "fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "schema": ChannelParameter(type=standard_artifacts.Schema),
        "model": ChannelParameter(type=standard_artifacts.Model),
        "baseline_model": ChannelParameter(type=standard_artifacts.Model, optional=True),
        "baseline_blessing": ChannelParameter(type=standard_artifacts.ModelBlessing, optional=True),
        "answers": ChannelParameter(type=AnswerSample, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class Evaluator(base_beam_component.BaseBeamComponent):
    """Judges a model by its ``score`` signature on the raw rows of the evaluation split.

    As TFX's own, it writes TFMA's results to `evaluation` and the file BLESSED or NOT_BLESSED to `blessing`. Besides,
    `evaluation` gets the record (metrics by slice, what came of each condition, reasons, notes) and `blessing` the
    custom property `reason`.
    """

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        schema: types.BaseChannel,
        model: types.BaseChannel,
        thresholds: Sequence[str],
        against_baseline: Sequence[str] = (),
        slices: Sequence[str] = (),
        baseline_model: types.BaseChannel | None = None,
        baseline_blessing: types.BaseChannel | None = None,
        answers: types.BaseChannel | None = None,
    ) -> None:
        """Describes one evaluation.

        Args:
            examples: raw rows, with the splits `train` and `eval`; `eval` is read.
            schema: of the rows.
            model: what to judge.
            thresholds: conditions on the scores, as the configuration writes them.
            against_baseline: conditions on their change.
            slices: columns by whose values the metrics are reported.
            baseline_model: what to compare with, if there is any.
            baseline_blessing: its blessing; one without a model says that the model was deleted, and nothing is
                blessed that would have to be compared with it.
            answers: from AnswerQuality, whose conditions the verdict then includes.
        """
        super().__init__(
            EvaluatorSpec(
                examples=examples,
                schema=schema,
                model=model,
                baseline_model=baseline_model,
                baseline_blessing=baseline_blessing,
                answers=answers,
                thresholds=json.dumps(list(thresholds)),
                against_baseline=json.dumps(list(against_baseline)),
                slices=json.dumps(list(slices)),
                example_splits=json.dumps(["eval"]),
                module_path=SLICES_MODULE,
                fingerprint=fingerprint(Executor.__module__, SLICES_MODULE),
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
