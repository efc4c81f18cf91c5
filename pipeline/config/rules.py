"""What several fields of the configuration must satisfy together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pipeline.config.pipeline import PipelineConfig

GPT2_CONTEXT = 1024  # tokens; of every published GPT-2


class Rule(NamedTuple):
    """A condition over several fields."""

    fields: tuple[str, ...]
    check: Callable[[PipelineConfig], str | None]  # the problem, or None


def _heads_divide_width(config: PipelineConfig) -> str | None:
    model = config.model
    if model.preset is not None or model.hidden_dim % model.num_heads == 0:
        return None
    return (
        "model.num_heads must divide model.hidden_dim. "
        f"Received: hidden_dim={model.hidden_dim}, num_heads={model.num_heads}. "
        f"Take a number of heads out of {_divisors(model.hidden_dim, model.num_heads)}."
    )


def _context(config: PipelineConfig) -> int:
    return config.model.max_sequence_length if config.model.preset is None else GPT2_CONTEXT


def _row_fits_context(config: PipelineConfig) -> str | None:
    if config.training.sequence_length <= (context := _context(config)):
        return None
    return (
        "training.sequence_length cannot exceed the model's context. "
        f"Received: sequence_length={config.training.sequence_length}, context {context}. "
        "Lower it, or raise model.max_sequence_length if the model is made from scratch."
    )


def _response_fits_context(config: PipelineConfig) -> str | None:
    if config.generation.max_new_tokens < (context := _context(config)):
        return None
    return (
        "generation.max_new_tokens must leave room for a prompt in the model's context. "
        f"Received: max_new_tokens={config.generation.max_new_tokens}, context {context}. "
        "Lower it, or raise model.max_sequence_length if the model is made from scratch."
    )


def _preset_brings_tokenizer(config: PipelineConfig) -> str | None:
    model = config.model
    if model.preset is None or model.tokenizer_path is None:
        return None
    return (
        "A preset brings its own tokenizer. "
        f"Received: model.preset={model.preset!r}, model.tokenizer_path={model.tokenizer_path!r}. "
        "Set one of them to none."
    )


def _local_namespace(config: PipelineConfig) -> str | None:
    publish = config.publish
    foreign = [name for name in (publish.repo_id, publish.space_repo_id) if not name.startswith("local/")]
    if not publish.enabled or publish.endpoint != "local" or not foreign:
        return None
    return (
        "The embedded Hub has the one namespace local/, for publish.repo_id and publish.space_repo_id. "
        f"Received: {', '.join(foreign)}. "
        "Rename them, or set publish.endpoint to the Hub that has this namespace."
    )


def _remote_namespace(config: PipelineConfig) -> str | None:
    publish = config.publish
    local = [name for name in (publish.repo_id, publish.space_repo_id) if name.startswith("local/")]
    if not publish.enabled or publish.endpoint == "local" or not local:
        return None
    return (
        "The namespace local/ exists on the embedded Hub only. "
        f"Received: publish.endpoint={publish.endpoint!r}, {', '.join(local)}. "
        "Set publish.repo_id and publish.space_repo_id to <your user or organisation>/<name>."
    )


def _published_baseline(config: PipelineConfig) -> str | None:
    publish, evaluation = config.publish, config.evaluation
    if not evaluation.enabled or evaluation.baseline != "published":
        return None
    if publish.enabled and "saved_model" in publish.exports:
        return None
    return (
        "evaluation.baseline = published compares with the SavedModel of publish.repo_id. "
        f"Received: publish.enabled={str(publish.enabled).lower()}, publish.exports={', '.join(publish.exports)}. "
        "Publish saved_model too, or set evaluation.baseline to last_blessed or none."
    )


def _divisors(number: int, near: int) -> str:
    divisors = [n for n in range(1, number + 1) if number % n == 0]
    nearest = sorted(sorted(divisors, key=lambda n: abs(n - near))[:4])
    return ", ".join(map(str, nearest))


_CONTEXT = ("model.preset", "model.max_sequence_length")
_REPOSITORIES = ("publish.enabled", "publish.endpoint", "publish.repo_id", "publish.space_repo_id")
RULES: tuple[Rule, ...] = (
    Rule(("model.preset", "model.hidden_dim", "model.num_heads"), _heads_divide_width),
    Rule((*_CONTEXT, "training.sequence_length"), _row_fits_context),
    Rule((*_CONTEXT, "generation.max_new_tokens"), _response_fits_context),
    Rule(("model.preset", "model.tokenizer_path"), _preset_brings_tokenizer),
    Rule(_REPOSITORIES, _local_namespace),
    Rule(_REPOSITORIES, _remote_namespace),
    Rule(("evaluation.enabled", "evaluation.baseline", "publish.enabled", "publish.exports"), _published_baseline),
)
