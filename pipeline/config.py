"""What a run is made of: one typed, frozen, validated model.

Its fields are the command line's flags, the environment's variables and the profiles' keys; see
:mod:`pipeline.config_sources` for how these are read and which one wins. Only ``create_pipeline`` and
``run_fn`` see it; below them, plain parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from pipeline.cluster_config import BeamConfig, KubeflowConfig
from pipeline.config_types import (
    FROZEN,
    Endpoint,
    EnvironmentName,
    Exports,
    OptionalCount,
    OptionalText,
    PipelineName,
    RepoId,
    Text,
)
from pipeline.evaluation_config import EvaluationConfig

GPT2_CONTEXT = 1024  # tokens; of every published GPT-2


class DataConfig(BaseModel):
    """The instruction rows."""

    model_config = FROZEN

    path: Text = "data/sample/tfrecords"
    """Folder with the TFRecord files."""

    train_pattern: Text = "*-train*.tfrecord*"
    """Glob inside data.path for the training split."""

    eval_pattern: Text = "*-eval*.tfrecord*"
    """Glob inside data.path for the evaluation split."""

    # The bare name would shadow a method of pydantic's; everywhere outside this class it is `schema`.
    schema_: Text = Field(default="pipeline/schema/alpaca.pbtxt", alias="schema")
    """Curated schema (a .pbtxt file) that the rows must satisfy, or `infer` to derive one from the rows
    themselves."""


class ModelConfig(BaseModel):
    """The network: a preset to fine-tune, or sizes for one from scratch (ignored with a preset)."""

    model_config = ConfigDict(**FROZEN, protected_namespaces=())

    preset: OptionalText = None
    """KerasHub GPT-2 preset to start from: a name (gpt2_base_en), a kaggle:// or hf:// handle, or a folder;
    `none` for scratch."""

    num_layers: int = Field(default=4, ge=1, le=96)
    """Transformer blocks, 1 to 96."""

    num_heads: int = Field(default=4, ge=1, le=128)
    """Attention heads per block, 1 to 128; must divide hidden_dim."""

    hidden_dim: int = Field(default=128, ge=8, le=16384)
    """Width of the residual stream, 8 to 16384."""

    intermediate_dim: int = Field(default=512, ge=8, le=65536)
    """Width inside the feed-forward layers, 8 to 65536; usually 4 times hidden_dim."""

    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of activations dropped while training, 0 to below 1."""

    max_sequence_length: int = Field(default=128, ge=8, le=65536)
    """Context of the model in tokens, 8 to 65536."""

    tokenizer_path: OptionalText = None
    """Folder with vocab.json and merges.txt; `none` to train a tokenizer on the rows. Excluded by
    model.preset."""

    vocabulary_size: int = Field(default=1024, ge=257, le=200_000)
    """Size of the tokenizer to train, in tokens, 257 (all bytes and the end token) to 200000; not used with a
    given tokenizer."""


class TrainingConfig(BaseModel):
    """How the network is trained."""

    model_config = FROZEN

    sequence_length: int = Field(default=128, ge=8, le=65536)
    """Length of a training row in tokens, 8 to the model's context."""

    batch_size: int = Field(default=32, ge=1, le=65536)
    """Rows of sequence_length tokens per step, 1 to 65536."""

    accumulation_steps: int = Field(default=1, ge=1, le=4096)
    """Batches whose gradients make one step, 1 to 4096: a larger batch in the memory of a small one."""

    epochs: int = Field(default=20, ge=1, le=10_000)
    """Passes over the training split, 1 to 10000."""

    max_steps: OptionalCount = None
    """Stop after so many steps even if epochs are left, at least 1; `none` for no limit."""

    learning_rate: float = Field(default=2e-3, gt=0, le=1)
    """Peak learning rate of AdamW, above 0 to 1."""

    warmup_fraction: float = Field(default=0.05, ge=0, lt=1)
    """Share of the steps during which the learning rate rises to its peak, 0 to below 1."""

    weight_decay: float = Field(default=0.01, ge=0, le=1)
    """Decoupled weight decay of AdamW, 0 to 1."""

    clip_norm: float = Field(default=1.0, gt=0)
    """Global norm above which gradients are scaled down, above 0."""

    packing: Literal["best_fit", "none"] = "best_fit"
    """How examples share a row: `best_fit` packs several, isolated from each other; `none` gives each its
    own."""

    overlong: Literal["drop", "truncate_prompt"] = "drop"
    """What happens to an example longer than sequence_length: `drop` it, or `truncate_prompt` from its
    start."""

    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """Keras precision policy; the mixed ones suit GPUs."""

    seed: int = Field(default=42, ge=0, le=2**31 - 1)
    """Seed of initial weights, row order and dropout, 0 to 2147483647."""

    log_every_steps: int = Field(default=10, ge=1)
    """Steps between two entries for TensorBoard, at least 1."""

    exact_answer_rows: int = Field(default=0, ge=0)
    """Evaluation rows whose answers are compared with the expected ones after training, at least 0; 0 for
    none."""


class GenerationConfig(BaseModel):
    """Defaults of the published model's decoding; every request may set its own."""

    model_config = FROZEN

    max_new_tokens: int = Field(default=64, ge=1, le=65536)
    """Longest response in tokens, 1 to the model's context."""

    temperature: float = Field(default=0.0, ge=0, le=10)
    """Randomness, 0 to 10; 0 always takes the most likely token."""

    top_k: int = Field(default=0, ge=0)
    """Sample among so many most likely tokens; 0 for no limit."""

    top_p: float = Field(default=1.0, gt=0, le=1)
    """Sample among the most likely tokens that together reach this probability, above 0 to 1; 1 for no
    limit."""


class PublishConfig(BaseModel):
    """Where the model and its demo go."""

    model_config = FROZEN

    enabled: bool = True
    """Publish a revision at the end of the run: true or false."""

    endpoint: Endpoint = "local"
    """`local` for the embedded Hub, or the address of a Hub such as https://huggingface.co, without
    credentials."""

    local_port: int = Field(default=8642, ge=1, le=65535)
    """Port of the embedded Hub on 127.0.0.1, 1 to 65535."""

    repo_id: RepoId = "local/gpt2-alpaca"
    """Model repository, namespace/name; the embedded Hub's namespace is `local`."""

    space_repo_id: RepoId = "local/gpt2-alpaca-demo"
    """Space repository, namespace/name."""

    space_template: Text = "space"
    """Folder with the template of the Space."""

    private: bool = False
    """Whether repositories are created private: true or false."""

    exports: Exports = ("transformers", "keras", "ctranslate2", "saved_model")
    """What to publish of transformers, keras, ctranslate2 and saved_model; the Space needs ctranslate2."""

    keep_revisions: int = Field(default=0, ge=0)
    """Newest dated revisions that stay, 0 for all; the one that a Space runs always stays."""

    token_env: EnvironmentName = "HF_TOKEN"
    """Name of the environment variable that holds the access token; never the token itself."""

    license: Text = "apache-2.0"
    """Licence of the published model, as the Hub's identifier; it follows from the training data."""


class PipelineConfig(BaseModel):
    """Turns instruction rows into a published chat model: data checks, training, publishing, in one TFX
    pipeline."""

    model_config = FROZEN

    profile: Text = "quickstart"
    """Profile to start from: a name in pipeline/profiles, or the path of a .toml file."""

    pipeline_name: PipelineName = "kerasnlp-gpt2-alpaca-pipeline"
    """Name under which TFX keeps the runs apart; letters, digits, `.`, `_`, `-`; at most 63."""

    output_dir: Text = "output"
    """Folder for everything a run makes: tfx/, metadata/, hub/, logs/."""

    enable_cache: bool = True
    """Reuse the results of components whose inputs, settings and code did not change: true or false."""

    data: DataConfig = Field(default_factory=DataConfig)
    """The instruction rows."""

    model: ModelConfig = Field(default_factory=ModelConfig)
    """The network: a preset to fine-tune, or sizes for one from scratch."""

    training: TrainingConfig = Field(default_factory=TrainingConfig)
    """How the network is trained."""

    generation: GenerationConfig = Field(default_factory=GenerationConfig)
    """Defaults of the published model's decoding."""

    evaluation: EvaluationConfig = Field(default_factory=EvaluationConfig)
    """When a model is good enough to be published."""

    publish: PublishConfig = Field(default_factory=PublishConfig)
    """Where the model and its demo go."""

    beam: BeamConfig = Field(default_factory=BeamConfig)
    """What processes the rows."""

    kubeflow: KubeflowConfig = Field(default_factory=KubeflowConfig)
    """How the pipeline runs on Kubeflow Pipelines."""

    @model_validator(mode="after")
    def _satisfies_rules(self, info: ValidationInfo) -> Self:
        if info.context and info.context.get("skip_rules"):
            return self
        broken = [problem for rule in RULES if (problem := rule.check(self))]
        if broken:
            raise ValueError("\n".join(broken))
        return self


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
)
