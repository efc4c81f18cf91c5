"""What the page tells about its model, read from what the revision publishes: what it was trained on, and what to ask
it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard

FILES = ("README.md", "training.json", "prompt.json")
DATASETS_URL = "https://huggingface.co/datasets"
EXAMPLES_SHOWN = 6
EXAMPLE_CHARACTERS = 240  # a longer one would fill the page


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
        return f"A language model{size}, {origin} on {rows}{data}{f' of {source}' if source else ''}."


def _examples(prompt: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The first short ones, each with another instruction."""
    short: dict[str, str] = {}
    for example in prompt.get("examples", ()):
        if len(example["instruction"]) + len(example["input"]) <= EXAMPLE_CHARACTERS:
            short.setdefault(example["instruction"], example["input"])
    return tuple(short.items())[:EXAMPLES_SHOWN]


def _json(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content
