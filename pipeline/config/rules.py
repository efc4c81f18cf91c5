"""Rules that several fields of the configuration must satisfy together."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from modules.exports import FORMS, find_form, find_forms
from modules.models.families import find_family
from modules.registry import RegistryError, is_reference
from pipeline.evaluation import answer_conditions, parse_condition
from pipeline.initial_model import hub_revision

if TYPE_CHECKING:
    from pipeline.config.pipeline import PipelineConfig


class Rule(NamedTuple):
    """A condition over several fields."""

    fields: tuple[str, ...]
    check: Callable[[PipelineConfig], str | None]  # the problem, or None


def _known_family(config: PipelineConfig) -> str | None:
    try:
        find_family(config.model.family)
    except RegistryError as error:
        return str(error)
    return None


def _own_forms(config: PipelineConfig) -> str | None:
    for name in config.export.extra:
        if name in FORMS:
            return f"export.extra takes forms of your own; the others have settings of theirs. Received: {name!r}."
        try:
            find_form(name, setting="export.extra")
        except RegistryError as error:
            return str(error)
    return None


def _heads_divide_width(config: PipelineConfig) -> str | None:
    model = config.model
    if model.preset is not None or model.hidden_dim % model.num_heads == 0:
        return None
    return (
        "model.num_heads must divide model.hidden_dim. "
        f"Received: hidden_dim={model.hidden_dim}, num_heads={model.num_heads}. "
        f"Take a number of heads out of {_divisors(model.hidden_dim, model.num_heads)}."
    )


def context_length(config: PipelineConfig) -> float:
    """Returns the model's context in tokens; infinity where only the initial model's files tell it."""
    preset = config.model.preset
    if preset is None:
        return config.model.max_sequence_length
    if _known_family(config) is not None:  # which is told by itself
        return math.inf
    known = find_family(config.model.family).presets.get(preset)
    return known.context if known else math.inf


def _row_fits_context(config: PipelineConfig) -> str | None:
    if config.training.sequence_length <= (context := context_length(config)):
        return None
    return (
        "training.sequence_length cannot exceed the model's context. "
        f"Received: sequence_length={config.training.sequence_length}, context {context}. "
        "Lower it, or raise model.max_sequence_length if the model is made from scratch."
    )


def _response_fits_context(config: PipelineConfig) -> str | None:
    if config.generation.max_new_tokens < (context := context_length(config)):
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


def _hub_spelling(config: PipelineConfig) -> str | None:
    try:
        hub_revision(config.model.preset)
    except ValueError as error:
        return str(error)
    return None


def _quantized_base_has_adapters(config: PipelineConfig) -> str | None:
    training = config.training
    if training.quantized_base == "none" or training.lora_rank > 0:
        return None
    return (
        "A quantised base is frozen, so it needs adapters to train. "
        f"Received: training.quantized_base={training.quantized_base}, training.lora_rank=0. "
        "Set training.lora_rank, usually to 8 or 16, or quantized_base to none."
    )


def _rank_fits_heads(config: PipelineConfig) -> str | None:
    model, rank = config.model, config.training.lora_rank
    if model.preset is not None or rank <= (width := model.hidden_dim // model.num_heads):
        return None
    if not {"query", "key", "value"} & set(config.training.lora_targets):
        return None
    return (
        "An adapter's rank cannot exceed the width of a head. "
        f"Received: training.lora_rank={rank}, a head of {width}. "
        "Lower it, or set training.lora_targets to output or feedforward."
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


def _required_publication_is_enabled(config: PipelineConfig) -> str | None:
    if config.publish.enabled or not config.publish.required:
        return None
    return (
        "A publication can be required of a run that publishes. "
        "Received: publish.enabled=false, publish.required=true. Change one of them."
    )


def _space_has_instruction_model(config: PipelineConfig) -> str | None:
    if config.data.kind == "instructions" or not config.publish.enabled or not config.publish.space:
        return None
    return (
        "The Space is a page for instructions, which a model of raw text does not follow. "
        "Received: data.kind=text, publish.space=true. Set publish.space to false."
    )


def _exact_answers_have_instructions(config: PipelineConfig) -> str | None:
    if config.data.kind == "instructions" or not config.training.exact_answer_rows:
        return None
    return (
        "Documents of raw text have no answers to compare. "
        f"Received: data.kind=text, exact_answer_rows={config.training.exact_answer_rows}. "
        "Set training.exact_answer_rows to 0."
    )


def _published_precision(config: PipelineConfig) -> str | None:
    forms = find_forms(config.publish.exports)
    missing = [form.export_setting for form in forms if form.export_setting and not form.is_wanted(config.export)]
    own = [name for name in config.publish.exports if is_reference(name) and name not in config.export.extra]
    if config.publish.enabled and own:
        return (
            "What is published must be exported. "
            f"Received: publish.exports={', '.join(config.publish.exports)}; "
            f"export.extra={', '.join(config.export.extra) or 'none'}. Add {', '.join(own)} to the latter."
        )
    if not config.publish.enabled or not missing:
        return None
    fields = {field: ", ".join(getattr(config.export, field)) or "none" for field, _ in missing}
    ways_out = [f"Add {value} to export.{field}." for field, value in missing]
    return (
        "What is published must be exported. "
        f"Received: publish.exports={', '.join(config.publish.exports)}; "
        f"{', '.join(f'export.{field}={chosen}' for field, chosen in fields.items())}. {' '.join(ways_out)}"
    )


def _published_adapter(config: PipelineConfig) -> str | None:
    training = config.training
    if not config.publish.enabled or "adapter" not in config.publish.exports:
        return None
    if training.lora_rank > 0 and "embeddings" not in training.lora_unfrozen:
        return None
    return (
        "An adapter can be published alone where one is trained, and the embeddings are not. "
        f"Received: publish.exports={', '.join(config.publish.exports)}; training.lora_rank={training.lora_rank}, "
        f"training.lora_unfrozen={', '.join(training.lora_unfrozen) or 'none'}. "
        "Set training.lora_rank, or remove adapter from publish.exports."
    )


def _evaluations_to_compare(config: PipelineConfig) -> str | None:
    training = config.training
    if training.evaluate_every_steps or training.evaluate_every_epoch:
        return None
    if training.keep_weights == "last" and not training.early_stopping_patience:
        return None
    return (
        "training.keep_weights=best and training.early_stopping_patience compare evaluations during training. "
        f"Received: keep_weights={training.keep_weights}, "
        f"early_stopping_patience={training.early_stopping_patience}, and none before the end. "
        "Set training.evaluate_every_steps or training.evaluate_every_epoch."
    )


def _checkpoints_in_folder(config: PipelineConfig) -> str | None:
    folder = config.training.checkpoint_dir
    if folder is None or "://" not in folder:
        return None
    return (
        "training.checkpoint_dir must be a folder. "
        f"Received: {folder}. Name one, on Kubeflow that of a mounted volume, or none."
    )


def _answers_to_judge(config: PipelineConfig) -> str | None:
    evaluation = config.evaluation
    conditions = {text: parse_condition(text, is_change=False) for text in evaluation.thresholds}
    conditions |= {text: parse_condition(text, is_change=True) for text in evaluation.against_baseline}
    about_answers = [text for text, condition in conditions.items() if answer_conditions([condition])]
    if not evaluation.enabled or not about_answers or (evaluation.answer_rows and config.data.kind == "instructions"):
        return None
    return (
        "Conditions on answers need answers. "
        f"Received: {', '.join(about_answers)} with data.kind={config.data.kind}, "
        f"evaluation.answer_rows={evaluation.answer_rows}. Raise evaluation.answer_rows, or remove the conditions."
    )


def _sharding_backend(config: PipelineConfig) -> str | None:
    training = config.training
    if training.distribution != "fully_sharded" or training.backend == "jax":
        return None
    return (
        "training.distribution=fully_sharded needs Keras on JAX. "
        f"Received: training.backend={training.backend}. Set it to jax, or the distribution to data_parallel."
    )


def _devices_divide_batch(config: PipelineConfig) -> str | None:
    training = config.training
    if training.distribution == "none" or not training.devices or training.batch_size % training.devices == 0:
        return None
    return (
        "training.devices must divide training.batch_size: each device takes as many rows. "
        f"Received: devices={training.devices}, batch_size={training.batch_size}. "
        f"Take a batch_size that is a multiple of {training.devices}."
    )


def _devices_can_share_training(config: PipelineConfig) -> str | None:
    training = config.training
    if training.distribution == "none":
        return None
    unfit = {
        "packing=buckets": training.packing == "buckets",
        "sample_every_steps": training.sample_every_steps > 0,
        "accumulation_steps on tensorflow": training.backend == "tensorflow" and training.accumulation_steps > 1,
    }
    received = [name for name, is_set in unfit.items() if is_set]
    if not received:
        return None
    return (
        "Devices that share a training take batches of one shape, answer no samples, and accumulate on JAX only. "
        f"Received: training.distribution={training.distribution} with {', '.join(received)}. "
        "Set training.packing=best_fit, training.sample_every_steps=0, or training.backend=jax."
    )


def _tuning_varies_something(config: PipelineConfig) -> str | None:
    tuning, training = config.tuning, config.training
    others = [{*tuning.batch_sizes} - {training.batch_size}, {*tuning.lora_ranks} - {training.lora_rank}]
    if not tuning.enabled or tuning.learning_rate_span > 1 or any(others):
        return None
    return (
        "Tuning needs something to vary. Received: learning_rate_span=1, and no other batch_sizes or lora_ranks. "
        "Widen one of them, or set tuning.enabled to false."
    )


def _tuned_ranks_have_adapters(config: PipelineConfig) -> str | None:
    if not config.tuning.enabled or not config.tuning.lora_ranks or config.training.lora_rank:
        return None
    return (
        "Ranks can be tuned where adapters are trained. "
        f"Received: tuning.lora_ranks={', '.join(map(str, config.tuning.lora_ranks))}, training.lora_rank=0. "
        "Set training.lora_rank, or tuning.lora_ranks to none."
    )


def _divisors(number: int, near: int) -> str:
    divisors = [n for n in range(1, number + 1) if number % n == 0]
    nearest = sorted(sorted(divisors, key=lambda n: abs(n - near))[:4])
    return ", ".join(map(str, nearest))


_LORA = ("training.lora_rank", "training.lora_targets")
_CONTEXT = ("model.preset", "model.max_sequence_length")
_REPOSITORIES = ("publish.enabled", "publish.endpoint", "publish.repo_id", "publish.space_repo_id")
_ANSWERS = ("evaluation.enabled", "evaluation.answer_rows", "evaluation.thresholds", "evaluation.against_baseline")
RULES: tuple[Rule, ...] = (
    Rule(("model.family",), _known_family),
    Rule(("export.extra",), _own_forms),
    Rule(("model.preset", "model.hidden_dim", "model.num_heads"), _heads_divide_width),
    Rule((*_CONTEXT, "training.sequence_length"), _row_fits_context),
    Rule((*_CONTEXT, "generation.max_new_tokens"), _response_fits_context),
    Rule(("model.preset", "model.tokenizer_path"), _preset_brings_tokenizer),
    Rule(("model.preset",), _hub_spelling),
    Rule(("training.quantized_base", "training.lora_rank"), _quantized_base_has_adapters),
    Rule(("model.preset", "model.hidden_dim", "model.num_heads", *_LORA), _rank_fits_heads),
    Rule(
        (
            "training.keep_weights",
            "training.early_stopping_patience",
            "training.evaluate_every_steps",
            "training.evaluate_every_epoch",
        ),
        _evaluations_to_compare,
    ),
    Rule(("training.checkpoint_dir",), _checkpoints_in_folder),
    Rule(("training.distribution", "training.backend"), _sharding_backend),
    Rule(("training.distribution", "training.devices", "training.batch_size"), _devices_divide_batch),
    Rule(
        ("training.distribution", "training.packing", "training.sample_every_steps", "training.accumulation_steps"),
        _devices_can_share_training,
    ),
    Rule(_REPOSITORIES, _local_namespace),
    Rule(_REPOSITORIES, _remote_namespace),
    Rule(("publish.enabled", "publish.required"), _required_publication_is_enabled),
    Rule(
        ("publish.enabled", "publish.exports", "export.ctranslate2", "export.gguf", "export.onnx", "export.extra"),
        _published_precision,
    ),
    Rule(("publish.enabled", "publish.exports", "training.lora_rank", "training.lora_unfrozen"), _published_adapter),
    Rule(("evaluation.enabled", "evaluation.baseline", "publish.enabled", "publish.exports"), _published_baseline),
    Rule(("data.kind", "publish.enabled", "publish.space"), _space_has_instruction_model),
    Rule(("data.kind", "training.exact_answer_rows"), _exact_answers_have_instructions),
    Rule(
        (
            "tuning.enabled",
            "tuning.learning_rate_span",
            "tuning.batch_sizes",
            "tuning.lora_ranks",
            "training.batch_size",
            "training.lora_rank",
        ),
        _tuning_varies_something,
    ),
    Rule(("tuning.enabled", "tuning.lora_ranks", "training.lora_rank"), _tuned_ranks_have_adapters),
    Rule(("data.kind", *_ANSWERS), _answers_to_judge),
)
