"""What the exported models are asked: real prompts of the run, and those that break front ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SAMPLES = 8


def make_prompts(model_folder: Path) -> list[str]:
    """Samples of the evaluation split, then: no input, non-ASCII, no text at all, and more than the context.

    Args:
        model_folder: a model artifact's, with ``exports/prompt.json`` and ``exports/training.json``.
    """
    exports = model_folder / "exports"
    spec: Mapping[str, Any] = json.loads((exports / "prompt.json").read_text(encoding="utf-8"))
    training: Mapping[str, Any] = json.loads((exports / "training.json").read_text(encoding="utf-8"))
    samples = [sample["prompt"] for sample in training["samples"]][:SAMPLES]
    return [
        *samples,
        spec["without_input"].format(instruction="Say hello."),
        spec["with_input"].format(instruction="Übersetze: 你好, 🙂", input="naïve — “quotes”"),
        "",
        spec["with_input"].format(instruction="Sort.", input="pear " * spec["context_length"]),
    ]
