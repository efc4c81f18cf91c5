"""The Evaluator component: its inputs, parameters and outputs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import tensorflow_model_analysis as tfma
from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from modules.fingerprint import fingerprint
from pipeline.components.answer_quality.artifact import AnswerSample
from pipeline.components.evaluator.executor import Executor


class EvaluatorSpec(ComponentSpec):
    """What Evaluator reads, is told, and writes; names as in TFX's own."""

    PARAMETERS = {  # noqa: RUF012 - TFX reads class attributes
        "eval_config": ExecutionParameter(type=tfma.EvalConfig),
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
    `evaluation` gets report.json (metrics by slice, reasons, notes) and `blessing` the custom property `reason`.
    """

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        schema: types.BaseChannel,
        model: types.BaseChannel,
        eval_config: tfma.EvalConfig,
        baseline_model: types.BaseChannel | None = None,
        baseline_blessing: types.BaseChannel | None = None,
        answers: types.BaseChannel | None = None,
    ) -> None:
        """Describes one evaluation.

        Args:
            examples: raw rows, with the splits `train` and `eval`; `eval` is read.
            schema: of the rows.
            model: what to judge.
            eval_config: from `eval_config.make_eval_config`.
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
                eval_config=eval_config,
                example_splits=json.dumps(["eval"]),
                module_path="pipeline.components.evaluator.slices",
                fingerprint=evaluation_fingerprint(),
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )


def evaluation_fingerprint() -> str:
    """A hash of the code that evaluates, which TFX's cache key cannot see."""
    digest = hashlib.sha256(fingerprint("modules.text.prompts").encode())
    folder = Path(__file__).parent
    for path in sorted([*folder.glob("*.py"), folder.parents[1] / "evaluation.py"]):
        digest.update(f"{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()
