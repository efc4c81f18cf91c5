"""Files of an initial model's folder, read without any framework: configuration and tensors.

Two forms: a KerasHub preset, and a Transformers checkpoint in safetensors, one file or several with an index. Only
headers are read until a tensor is asked for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import ml_dtypes
import numpy as np
from safetensors import SafetensorError, safe_open

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
# Where the model lies in a folder that somebody may name: itself, a trainer's artifact, its exports, a revision.
PLACES = ("", "exports/keras", "keras", "exports/transformers", "transformers")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")
SHOWN = 5  # problems of one kind
# As safetensors calls them. NumPy reads BF16 because ml_dtypes, which is imported for that, has told it how.
DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16}

SavedAs = Literal["keras", "transformers"]


class CheckpointError(ValueError):
    """A folder holds no model that training can start from."""

    user_message = True


class TokenizerError(ValueError):
    """The tokenizer's files, or what it is to be trained on, cannot give the tokenizer of the model."""

    user_message = True


@dataclass(frozen=True)
class Tensor:
    """A tensor in a file."""

    path: Path
    name: str
    dtype: str
    shape: tuple[int, ...]

    def read(self) -> np.ndarray:
        """Returns the values as float32."""
        with safe_open(self.path, framework="np") as file:
            return np.asarray(file.get_tensor(self.name), np.float32)


def model_folder(root: Path) -> tuple[Path, SavedAs]:
    """Returns the folder in `root` that holds a model, and how it is saved there.

    Raises:
        CheckpointError: If there is none.
    """
    for part in PLACES:
        folder = root / part
        if (folder / CONFIG).is_file():
            return folder, "keras" if "registered_name" in read_json(folder / CONFIG) else "transformers"
    listing = ", ".join(sorted(path.name for path in root.iterdir())[:SHOWN]) if root.is_dir() else "no such folder"
    raise CheckpointError(
        f"A model's folder has a {CONFIG}. Received: {root} ({listing or 'empty'}). Name a KerasHub preset, a "
        "Transformers checkpoint, or the model folder of a run."
    )


def tensors(folder: Path) -> dict[str, Tensor]:
    """Returns every tensor of a Transformers checkpoint, by its name without ``transformer.`` in front.

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
    try:
        with safe_open(path, framework="np") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            return {
                name: Tensor(path, name, part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()
            }
    except SafetensorError as error:
        raise CheckpointError(
            "A safetensors file is as long as its header says. "
            f"Received: {path} of {path.stat().st_size} bytes; {error}. Download it again."
        ) from error


def read_json(path: Path, *, error_type: type[ValueError] = CheckpointError) -> dict[str, Any]:
    """Returns the JSON object in a file.

    Raises:
        CheckpointError: If the file holds something else; or another error, where `error_type` says so.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise error_type(f"{path.name} must be JSON. Received: {path}: {error}.") from error
    if not isinstance(content, dict):
        raise error_type(f"{path.name} must be a JSON object. Received: {path}: {type(content).__name__}.")
    return content
