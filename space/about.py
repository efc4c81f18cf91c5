"""What the page tells about its model, read from what the revision publishes and from the loaded model: what it was
trained on, what to ask it, and how its answers are computed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctranslate2
from huggingface_hub import ModelCard

FILES = ("README.md", "training.json", "prompt.json")
DATASETS_URL = "https://huggingface.co/datasets"
EXAMPLES_SHOWN = 6
EXAMPLE_CHARACTERS = 240  # a longer one would fill the page

_LOAD = "import sys, ctranslate2; ctranslate2.Generator(sys.argv[1], device='cpu')"
_LOGGED = re.compile(r"- (Selected ISA|SGEMM backend|GEMM_S8 backend): (\w+)")
_LIBRARIES = {"DNNL": "oneDNN"}  # CTranslate2's name of a library: the library's own


@dataclass(frozen=True)
class About:
    """What the model's card and reports say."""

    parameters: int | None
    license: str | None  # the Hub's identifier; None: none is claimed
    base_model: str | None  # None: trained from scratch
    rows: int | None  # of the training split
    kind: str  # "instructions" or "text"
    datasets: tuple[str, ...]  # the Hub's names
    examples: tuple[tuple[str, str], ...]  # instruction and input, of the evaluation split

    @classmethod
    def read(cls, folder: Path) -> About:
        """Reads `FILES` of a revision in `folder`."""
        training, prompt = _json(folder / "training.json"), _json(folder / "prompt.json")
        card = ModelCard.load(folder / "README.md").data
        return cls(
            parameters=training.get("parameters"),
            license=card.get("license"),
            base_model=card.get("base_model"),
            rows=training.get("data", {}).get("train", {}).get("rows"),
            kind=prompt.get("kind", "instructions"),
            datasets=tuple(card.get("datasets") or ()),
            examples=_examples(prompt),
        )

    def sentence(self) -> str:
        """What the model was trained on, in Markdown."""
        size = f" of {self.parameters:,} parameters" if self.parameters else ""
        origin = f"fine-tuned from {self.base_model}" if self.base_model else "trained from scratch"
        rows = f"{self.rows:,} " if self.rows else ""
        data = {"instructions": "instructions with answers", "text": "pieces of text"}[self.kind]
        source = ", ".join(f"[{name}]({DATASETS_URL}/{name})" for name in self.datasets)
        return f"A GPT-2{size}, {origin} on {rows}{data}{f' of {source}' if source else ''}."


def _examples(prompt: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The first short ones, each with another instruction."""
    short: dict[str, str] = {}
    for example in prompt.get("examples", ()):
        if len(example["instruction"]) + len(example["input"]) <= EXAMPLE_CHARACTERS:
            short.setdefault(example["instruction"], example["input"])
    return tuple(short.items())[:EXAMPLES_SHOWN]


@dataclass(frozen=True)
class Arithmetic:
    """How CTranslate2 computes answers on this machine."""

    compute_type: str  # such as "int8_float32": 8-bit weights, everything else in float32
    instruction_set: str  # such as "AVX2"
    byte_products: str  # the library that multiplies 8-bit matrices
    float_products: str  # the library that multiplies the others

    @classmethod
    def of(cls, generator: ctranslate2.Generator, folder: Path) -> Arithmetic:
        """The arithmetic of a generator that was loaded from `folder`."""
        logged = dict(_LOGGED.findall(_loading_log(folder)))
        return cls(
            compute_type=generator.compute_type,
            instruction_set=logged["Selected ISA"],
            byte_products=_library(logged["GEMM_S8 backend"]),
            float_products=_library(logged["SGEMM backend"]),
        )

    def sentence(self) -> str:
        """One line for the page's foot and for the log."""
        libraries = f"{self.float_products} multiplies matrices"
        if self.compute_type.startswith("int8") and self.byte_products != self.float_products:
            libraries = f"{self.byte_products} multiplies 8-bit matrices, {self.float_products} the others"
        return (
            f"Answers are computed in {self.compute_type} by CTranslate2 {ctranslate2.__version__} "
            f"with {self.instruction_set} instructions; {libraries}."
        )


def _loading_log(folder: Path) -> str:
    """What CTranslate2 logs when it loads the model: it tells instruction set and libraries nowhere else, and only to a
    process that has not loaded anything before."""
    environment = os.environ | {"CT2_VERBOSE": "1"}
    command = [sys.executable, "-c", _LOAD, str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr


def _library(name: str) -> str:
    return _LIBRARIES.get(name, name)


def _json(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content
