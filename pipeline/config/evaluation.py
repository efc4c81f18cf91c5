"""The configuration's group that says when a model is good enough."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from modules.settings.types import FROZEN, Words
from pipeline.evaluation import PROMPT_LENGTH, WITH_INPUT, check_column, parse_all, score_conditions


def _conditions(texts: tuple[str, ...]) -> tuple[str, ...]:
    if not score_conditions(parse_all(texts, is_change=False)):
        raise ValueError(
            "A model must satisfy at least one condition on its scores to be published. "
            f"Received: {', '.join(texts) or 'none'}. Write one, such as loss<=10, or set evaluation.enabled to false."
        )
    return texts


def _changes(texts: tuple[str, ...]) -> tuple[str, ...]:
    parse_all(texts, is_change=True)
    return texts


def _columns(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        check_column(text)
    return texts


Conditions = Annotated[Words, AfterValidator(_conditions)]
Changes = Annotated[Words, AfterValidator(_changes)]
Columns = Annotated[Words, AfterValidator(_columns)]


class EvaluationConfig(BaseModel):
    """Settings by which a model is good enough to be published."""

    model_config = FROZEN

    enabled: bool = True
    """Judge every model on the evaluation split, and publish only one that passes: true or false."""

    thresholds: Conditions = ("loss<=10",)
    """What must hold of every model: loss<=2.5, token_accuracy>=0.6; for one slice loss<=3@with_input=yes. Metrics:
    loss, perplexity, token_accuracy, bits_per_byte, tokens, scored_rows, rows; of a sample of answers exact_match,
    rouge_l, bleu, stopped, answer_characters, repetition."""

    against_baseline: Changes = ("bits_per_byte<=+0.02", "token_accuracy>=-0.01")
    """How much worse than the last blessed model it may be: loss<=+0.1, perplexity<=+5%, rouge_l>=-0.02; `none` for
    any."""

    baseline: Literal["last_blessed", "published", "none"] = "last_blessed"
    """What to compare with: the `last_blessed` model of this pipeline (on Kubeflow, which cannot look it up, the
    published one), the `published` one, that is main of publish.repo_id, or `none`."""

    answer_rows: int = Field(default=48, ge=0, le=100_000)
    """Evaluation rows whose answers are compared with the expected ones, 0 to 100000; 0 for none."""

    prove_serving: bool = True
    """Load every exported form in a fresh process and publish only if all give the same answers: true or false."""

    slices: Columns = (WITH_INPUT, PROMPT_LENGTH)
    """Columns by whose values the metrics are reported: with_input, prompt_length (short, medium, long), and any
    column of the rows but the texts; `none` for none."""
