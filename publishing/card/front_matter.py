"""Writes the card's front matter: what the Hub finds a model by, and its measurements in the Hub's format."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from publishing.card.facts import COUNTS, CardFacts
from publishing.exports import known_exports

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

KIND_TAGS = {"instructions": ("instruction-following", "alpaca-format"), "text": ("base-model",)}
# The Hub's name of each metric's type; one that is not here has its own name.
METRIC_TYPES = {"token_accuracy": "accuracy", "eval_token_accuracy": "accuracy", "eval_loss": "loss"}


def front_matter(facts: CardFacts, *, name: str) -> str:
    """Returns the YAML between the card's first lines `---`."""
    from huggingface_hub import ModelCardData

    data = ModelCardData(
        language="en",
        license=facts.claimed_license,
        library_name=known_exports(facts.own_exports)[facts.exports[0]].library_name,
        pipeline_tag="text-generation",
        base_model=base_model(facts),
        datasets=list(facts.named_datasets) or None,
        tags=[facts.family.tag, *KIND_TAGS[facts.kind], "keras-hub", "ctranslate2", "tensorflow"],
        model_name=name,
        eval_results=eval_results(facts) or None,
    )
    return str(data.to_yaml()).strip()


def base_model(facts: CardFacts) -> str | None:
    """Returns the Hub's name of the model that was fine-tuned; None for a model from scratch or a folder."""
    preset = facts.figure("model.preset")
    return facts.family.base_models.get(PurePath(str(preset)).name) if preset else None


def eval_results(facts: CardFacts) -> list[EvalResult]:
    """Returns the measurements in the Hub's format: the Evaluator's by slice, or else the Trainer's."""
    training = facts.training
    found = [
        _result(name, value, row.title if row.rows else None)
        for row in facts.found.slices
        for name, value in row.metrics.items()
        if name not in COUNTS
    ]
    if not found:
        found = [
            _result(name, training[name], None) for name in ("eval_loss", "eval_token_accuracy") if name in training
        ]
    exact = training.get("exact_answers")
    if exact:
        found.append(_result("exact_match", exact["share"], None))
    return found


def _result(name: str, value: float, rows: str | None) -> EvalResult:
    from huggingface_hub import EvalResult

    return EvalResult(
        task_type="text-generation",
        dataset_type="instructions",
        dataset_name="evaluation split",
        dataset_split="eval",
        dataset_config=rows,
        metric_type=METRIC_TYPES.get(name, name),
        metric_name=name.removeprefix("eval_").replace("_", " "),
        metric_value=value,
    )
