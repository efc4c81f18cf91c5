"""What lies in a folder that training can start from, read without any framework: sizes, tensors, vocabulary.

Two forms: a KerasHub preset, and a Transformers checkpoint in safetensors, one file or several with an index
(https://huggingface.co/docs/safetensors, "Format"). Only headers are read until a tensor is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
# Where the model lies in a folder that somebody may name: itself, a trainer's artifact, its exports, a revision.
PLACES = ("", "exports/keras", "keras", "exports/transformers", "transformers")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")
SHOWN = 5  # problems of one kind
DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}
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


class CheckpointError(ValueError):
    """A folder holds no model that training can start from."""

    user_message = True


@dataclass(frozen=True)
class Sizes:
    """A GPT-2's; fields are called as KerasHub's arguments."""

    vocabulary_size: int
    num_layers: int
    num_heads: int
    hidden_dim: int
    intermediate_dim: int
    max_sequence_length: int


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies in a file."""

    path: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int

    def read(self) -> np.ndarray:
        """The values as float32."""
        raw = np.memmap(self.path, DTYPES[self.dtype], "r", self.offset, self.shape or (1,))
        if self.dtype == "BF16":  # the upper half of a float32
            return (raw.astype(np.uint32) << 16).view(np.float32).reshape(self.shape)
        return np.asarray(raw, np.float32).reshape(self.shape)


def model_folder(place: Path) -> tuple[Path, Literal["keras", "transformers"]]:
    """The folder in `place` that holds a model, and its form.

    Raises:
        CheckpointError: If there is none.
    """
    for part in PLACES:
        folder = place / part
        if (folder / CONFIG).is_file():
            return folder, "keras" if "registered_name" in read_json(folder / CONFIG) else "transformers"
    listing = ", ".join(sorted(path.name for path in place.iterdir())[:SHOWN]) if place.is_dir() else "no such folder"
    raise CheckpointError(
        f"A model's folder has a {CONFIG}. Received: {place} ({listing or 'empty'}). Name a KerasHub preset, a "
        "Transformers checkpoint, or the model folder of a run."
    )


def read_sizes(folder: Path, form: Literal["keras", "transformers"]) -> Sizes:
    """The sizes that a model's configuration tells.

    Raises:
        CheckpointError: If it is none of a GPT-2.
    """
    config = read_json(folder / CONFIG)
    try:
        return _keras_sizes(config) if form == "keras" else _transformers_sizes(config)
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


def tensors(folder: Path) -> dict[str, Tensor]:
    """Every tensor of a Transformers checkpoint, by its name without ``transformer.`` in front.

    Raises:
        CheckpointError: If there are no safetensors, or a file is missing or cut.
    """
    found = {name: tensor for path in _weight_files(folder) for name, tensor in _header(path).items()}
    return {name.removeprefix("transformer."): tensor for name, tensor in found.items()}


def _weight_files(folder: Path) -> list[Path]:
    if (folder / INDEX).is_file():
        names = sorted(set(read_json(folder / INDEX)["weight_map"].values()))
        paths = [folder / name for name in names]
    else:
        paths = [folder / WEIGHTS]
    missing = [path.name for path in paths if not path.is_file()]
    if not missing:
        return paths
    pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if pickles:
        raise CheckpointError(
            "Weights are read from safetensors only: other files can run code when they are opened, or need another "
            f"framework. Received: {folder} with {', '.join(pickles)}. Where the file is trusted, write it anew with "
            "Transformers: AutoModelForCausalLM.from_pretrained(folder).save_pretrained(new_folder)."
        )
    raise CheckpointError(
        f"A Transformers checkpoint has its weights. Received: {folder} without {', '.join(missing)}."
    )


def _header(path: Path) -> dict[str, Tensor]:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= size - 8:
            raise _cut(path, size)
        try:
            entries = json.loads(file.read(length))
        except ValueError as error:
            raise _cut(path, size) from error
    entries.pop("__metadata__", None)
    start = 8 + length
    if any(start + entry["data_offsets"][1] > size for entry in entries.values()):
        raise _cut(path, size)
    return {
        name: Tensor(path, entry["dtype"], tuple(entry["shape"]), start + entry["data_offsets"][0])
        for name, entry in entries.items()
    }


def _cut(path: Path, size: int) -> CheckpointError:
    return CheckpointError(
        f"A safetensors file is as long as its header says. Received: {path} of {size} bytes. Download it again."
    )


def expected_tensors(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """The names and shapes that a Transformers GPT-2 of these sizes has."""
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
    """What of a Transformers checkpoint is not as its own configuration says: layers, and both shapes."""
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


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        CheckpointError: If the file holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path.name} must be JSON. Received: {path}: {error}.") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path.name} must be a JSON object. Received: {path}: {type(content).__name__}.")
    return content
