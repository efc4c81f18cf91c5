"""The nodes that judge a trained model: the baseline's, AnswerQuality, Evaluator and ServingProof."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import BaseChannel, Channel
from tfx.types.standard_artifacts import Model, ModelBlessing

from pipeline.components.answer_quality.component import AnswerQuality
from pipeline.components.evaluator.baseline import BLESSING, CANDIDATE, MODEL, PreviousBlessedModelStrategy
from pipeline.components.evaluator.component import Evaluator
from pipeline.config import PipelineConfig
from pipeline.evaluation import Condition, answer_conditions, parse_all, score_conditions
from pipeline.nodes.data import DescribedData
from pipeline.nodes.models import make_published_baseline


@dataclass(frozen=True)
class Evaluation:
    """The nodes that decide whether a model is good enough.

    Attributes:
        baseline: brings the model to compare with, if there can be one.
        answers: asks both models for answers, if any are asked for.
        evaluator: scores both, and gives the verdict.
    """

    baseline: BaseNode | None
    answers: AnswerQuality | None
    evaluator: Evaluator

    @property
    def nodes(self) -> list[BaseNode]:
        """Returns those that there are."""
        return [node for node in (self.baseline, self.answers, self.evaluator) if node is not None]


def make_evaluation(
    config: PipelineConfig, data: DescribedData, model: BaseChannel, *, project_dir: str, has_history: bool
) -> Evaluation:
    """Returns the nodes that judge `model` by the conditions of `config.evaluation`."""
    baseline = _make_baseline(config, model, project_dir=project_dir, has_history=has_history)
    answers = _make_answer_quality(config, data, model, baseline)
    return Evaluation(baseline, answers, _make_evaluator(config, data, model, baseline, answers))


def _make_baseline(
    config: PipelineConfig, candidate: BaseChannel, *, project_dir: str, has_history: bool
) -> BaseNode | None:
    """Returns the node that brings the model to compare with; None where there can be none."""
    publish, baseline = config.publish, config.evaluation.baseline
    if baseline == "last_blessed" and has_history:
        channels = {MODEL: Channel(type=Model), BLESSING: Channel(type=ModelBlessing), CANDIDATE: candidate}
        return Resolver(strategy_class=PreviousBlessedModelStrategy, **channels).with_id("BaselineResolver")
    if baseline == "none" or not publish.enabled or "saved_model" not in publish.exports:
        return None
    return make_published_baseline(config, project_dir)


def _make_answer_quality(
    config: PipelineConfig, data: DescribedData, model: BaseChannel, baseline: BaseNode | None
) -> AnswerQuality | None:
    """Returns the node that asks a sample of rows; None if none are to be asked, or documents were trained on."""
    settings = config.evaluation
    if not settings.answer_rows or config.data.kind != "instructions":
        return None
    thresholds, changes = _conditions(config)
    return AnswerQuality(
        examples=data.examples,
        model=model,
        baseline_model=baseline.outputs[MODEL] if baseline else None,
        rows=settings.answer_rows,
        thresholds=_texts(answer_conditions(thresholds)),
        against_baseline=_texts(answer_conditions(changes)),
    )


def _make_evaluator(
    config: PipelineConfig,
    data: DescribedData,
    model: BaseChannel,
    baseline: BaseNode | None,
    answers: AnswerQuality | None,
) -> Evaluator:
    thresholds, changes = _conditions(config)
    return Evaluator(
        examples=data.examples,
        schema=data.schema,
        model=model,
        baseline_model=baseline.outputs[MODEL] if baseline else None,
        baseline_blessing=baseline.outputs[BLESSING] if isinstance(baseline, Resolver) else None,
        answers=answers.outputs["answers"] if answers else None,
        thresholds=_texts(score_conditions(thresholds)),
        against_baseline=_texts(score_conditions(changes)),
        slices=config.evaluation.slices,
    )


def _conditions(config: PipelineConfig) -> tuple[list[Condition], list[Condition]]:
    """Returns the conditions of a model by itself, and of its change against the baseline."""
    settings = config.evaluation
    return parse_all(settings.thresholds, is_change=False), parse_all(settings.against_baseline, is_change=True)


def _texts(conditions: Iterable[Condition]) -> list[str]:
    return [str(condition) for condition in conditions]
