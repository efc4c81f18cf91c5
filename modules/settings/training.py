"""The group about how the network is trained."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from modules.registry import is_reference
from modules.settings.types import FROZEN, OptionalCount, OptionalText, split_words


def _callback_name(name: str) -> str:
    if not is_reference(name):
        raise ValueError(f"A callback is named as package.module:ClassName. Received: {name!r}.")
    return name


CallbackName = Annotated[str, AfterValidator(_callback_name)]
CallbackNames = Annotated[tuple[CallbackName, ...], BeforeValidator(split_words)]
Attention = Literal["auto", "plain", "fused"]
Backend = Literal["tensorflow", "jax"]
Distribution = Literal["none", "data_parallel", "fully_sharded"]
KeepWeights = Literal["last", "best"]
LoraTarget = Literal["query", "key", "value", "output", "feedforward"]
LORA_TARGETS: tuple[LoraTarget, ...] = get_args(LoraTarget)
OverlongPrompt = Literal["drop", "truncate_prompt"]
Overlong = Literal[OverlongPrompt, "split"]  # "split" follows from documents, it is not chosen
Packing = Literal["best_fit", "buckets", "none"]
Quantization = Literal["int8", "int4"]
Unfrozen = Literal["layer_norms", "embeddings"]
LoraTargets = Annotated[tuple[LoraTarget, ...], BeforeValidator(split_words), Field(min_length=1)]
LoraUnfrozen = Annotated[tuple[Unfrozen, ...], BeforeValidator(split_words)]


class TrainingSettings(BaseModel):
    """Settings of the network's training."""

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

    learning_rate: float = Field(default=2e-3, gt=0, le=10)
    """Peak learning rate of AdamW, above 0 to 10."""

    warmup_fraction: float = Field(default=0.05, ge=0, lt=1)
    """Share of the steps during which the learning rate rises to its peak, 0 to below 1."""

    weight_decay: float = Field(default=0.01, ge=0, le=1)
    """Decoupled weight decay of AdamW, 0 to 1."""

    clip_norm: float = Field(default=1.0, gt=0)
    """Global norm above which gradients are scaled down, above 0."""

    packing: Packing = "best_fit"
    """How examples share a row: `best_fit` packs several, isolated from each other; `buckets` gives each its own, in
    batches of rows of about its length; `none` gives each its own of full length."""

    overlong: OverlongPrompt = "drop"
    """What happens to an example longer than sequence_length: `drop` it, or `truncate_prompt` from its
    start."""

    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """Keras precision policy; the mixed ones suit GPUs."""

    backend: Backend = "tensorflow"
    """What Keras computes with while training: `tensorflow`, or `jax` in a process of its own, which needs
    `make setup EXTRAS=jax`; what is exported is the same."""

    distribution: Distribution = "none"
    """How devices share the training: `none` takes one; `data_parallel` splits every batch among them; `fully_sharded`
    (jax) weights and optimizer state as well, for models that do not fit on one."""

    devices: int = Field(default=0, ge=0, le=1024)
    """Devices of this machine that share the training unless distribution is `none`, 1 to 1024; 0 for all. They must
    divide batch_size."""

    remat: bool = False
    """Gradient checkpointing: keep only each block's input for the backward pass and run the block again there, true or
    false. Less memory for about a third more time."""

    attention: Attention = "auto"
    """Attention kernel: `fused` (JAX on an NVIDIA GPU, half precision, model.dropout 0), `plain`, or `auto` for the
    fused one where it can be had."""

    lora_rank: int = Field(default=0, ge=0, le=1024)
    """Rank of the low-rank adapters that are trained in place of the weights, 1 to 1024; 0 trains all weights."""

    lora_alpha: float = Field(default=16.0, gt=0, le=4096)
    """Scale of the adapters times lora_rank, above 0 to 4096; usually 1 to 2 times the rank."""

    lora_targets: LoraTargets = ("query", "value")
    """Layers that get an adapter, of query, key, value, output and feedforward."""

    lora_unfrozen: LoraUnfrozen = ()
    """What is trained besides the adapters, of layer_norms and embeddings; `none` for nothing."""

    quantized_base: Literal["none", Quantization] = "none"
    """How the frozen kernels under adapters are stored: `none` for as they are, int8 (a quarter of float32's size) or
    int4 (about a seventh); needs lora_rank."""

    seed: int = Field(default=42, ge=0, le=2**31 - 1)
    """Seed of initial weights, row order and dropout, 0 to 2147483647."""

    log_every_steps: int = Field(default=10, ge=1)
    """Steps between two entries for TensorBoard, at least 1."""

    checkpoint_every_steps: int = Field(default=100, ge=0)
    """Steps between two checkpoints, from which a training that was killed goes on, at least 0; 0 for none."""

    keep_checkpoints: int = Field(default=2, ge=1, le=1000)
    """Checkpoints to keep while training, 1 to 1000; each takes about 12 bytes per trained parameter."""

    checkpoint_dir: OptionalText = None
    """Folder for checkpoints; `none` for one below output_dir, and for none at all on Kubeflow, where it takes a
    mounted volume."""

    evaluate_every_steps: int = Field(default=0, ge=0)
    """Steps between two evaluations during training, at least 0; 0 for none before the end."""

    evaluate_every_epoch: bool = False
    """Whether to evaluate after each epoch too: true or false."""

    early_stopping_patience: int = Field(default=0, ge=0)
    """Evaluations in a row without a lower loss that end the training, at least 0; 0 never ends it early. The learning
    rate falls over all of epochs or max_steps, so one that ends early has not come down: plan few steps more than are
    needed."""

    early_stopping_min_delta: float = Field(default=0.0, ge=0)
    """By how much an evaluation loss must be lower for early_stopping_patience to count it as lower, in nats, at
    least 0."""

    keep_weights: KeepWeights = "last"
    """The weights that are exported: the `last`, or those with the `best`, that is the lowest, evaluation loss."""

    sample_every_steps: int = Field(default=0, ge=0)
    """Steps between two looks at what the model answers, in TensorBoard and the log, at least 0; 0 for none."""

    sample_rows: int = Field(default=3, ge=1, le=100)
    """Evaluation rows that are answered at each look, 1 to 100."""

    exact_answer_rows: int = Field(default=0, ge=0)
    """Evaluation rows whose answers are compared with the expected ones after training, at least 0; 0 for
    none."""

    callbacks: CallbackNames = ()
    """Keras callbacks that follow the training, as `package.module:ClassName`, of classes that can be made without
    arguments; `none` for none. `batch` counts optimizer steps, and `logs` has loss and token_accuracy."""
