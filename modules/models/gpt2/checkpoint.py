"""A GPT-2's files, read without any framework: its sizes, and the tensors that it must have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modules.models.family import Sizes
from modules.models.model_files import CONFIG, DTYPES, SHOWN, CheckpointError, SavedAs, Tensor, read_json

# What GPT-2 is: another value would be another network. Absent means the first.
FIXED: dict[str, tuple[Any, ...]] = {
    "model_type": ("gpt2",),
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "layer_norm_epsilon": (1e-5,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
    "tie_word_embeddings": (True,),
}


def read_sizes(folder: Path, saved_as: SavedAs) -> Sizes:
    """Returns the sizes that a model's configuration tells.

    Raises:
        CheckpointError: If it is none of a GPT-2.
    """
    config = read_json(folder / CONFIG)
    try:
        return _keras_sizes(config) if saved_as == "keras" else _transformers_sizes(config)
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            f"A GPT-2's {CONFIG} tells its sizes. Received: {folder / CONFIG} without {error}."
        ) from error


def _keras_sizes(config: Mapping[str, Any]) -> Sizes:
    name = str(config["registered_name"]).rpartition(">")[2]
    if not name.startswith("GPT2"):
        raise CheckpointError(f"Training starts from a GPT-2. Received: a preset of {name}.")
    return Sizes(**{field: int(config["config"][field]) for field in Sizes.__dataclass_fields__})


def _transformers_sizes(config: Mapping[str, Any]) -> Sizes:
    for field, allowed in FIXED.items():
        if (value := config.get(field, allowed[0])) not in allowed:
            raise CheckpointError(
                f"Training starts from a GPT-2 as OpenAI made it, with {field} = {allowed[0]}. Received: {value}."
            )
    width = int(config["n_embd"])
    return Sizes(
        vocabulary_size=int(config["vocab_size"]),
        num_layers=int(config["n_layer"]),
        num_heads=int(config["n_head"]),
        hidden_dim=width,
        intermediate_dim=int(config.get("n_inner") or 4 * width),
        max_sequence_length=int(config["n_positions"]),
    )


def expected_tensors(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Returns the names and shapes that a Transformers GPT-2 of these sizes has."""
    width, inner = sizes.hidden_dim, sizes.intermediate_dim
    shapes: dict[str, tuple[int, ...]] = {
        "wte.weight": (sizes.vocabulary_size, width),
        "wpe.weight": (sizes.max_sequence_length, width),
        "ln_f.weight": (width,),
        "ln_f.bias": (width,),
    }
    dense = {"attn.c_attn": (width, 3 * width), "attn.c_proj": (width, width), "mlp.c_fc": (width, inner)}
    for index in range(sizes.num_layers):
        for name, (rows, columns) in (dense | {"mlp.c_proj": (inner, width)}).items():
            shapes |= {f"h.{index}.{name}.weight": (rows, columns), f"h.{index}.{name}.bias": (columns,)}
        shapes |= {f"h.{index}.{norm}.{part}": (width,) for norm in ("ln_1", "ln_2") for part in ("weight", "bias")}
    return shapes


def shape_problems(found: Mapping[str, Tensor], sizes: Sizes) -> Iterator[str]:
    """Yields what of a Transformers checkpoint is not as its own configuration says: layers, and both shapes."""
    expected = expected_tensors(sizes)
    wrong = [
        f"{name}: file {found[name].shape}, configuration {shape}"
        for name, shape in expected.items()
        if name in found and found[name].shape != shape
    ]
    missing = [f"{name} {shape}" for name, shape in expected.items() if name not in found]
    blocks = sum(name.endswith("attn.c_attn.weight") for name in found)
    if blocks > sizes.num_layers:
        wrong.append(f"blocks: file {blocks}, configuration {sizes.num_layers}")
    for problem, names in (("have the shapes of its configuration", wrong), ("hold every layer of it", missing)):
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            yield (
                f"A checkpoint's tensors must {problem}. Received: {'; '.join(names[:SHOWN])}{more}. "
                f"Name a folder whose {CONFIG} belongs to its weights."
            )
    odd = sorted({tensor.dtype for name, tensor in found.items() if name in expected} - DTYPES.keys())
    if odd:
        yield (
            f"A checkpoint's tensors must be {', '.join(DTYPES)}. Received: {', '.join(odd)}. Convert them to float32."
        )
