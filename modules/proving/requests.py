"""Requests for the exported models: real prompts of the run, and those that break front ends."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules.settings.model import DEFAULT_FAMILY
from modules.training_record import SampleRecord

SAMPLES = 8
NEW_TOKENS = 8
INSTRUCTIONS = ("Say hello.", "Übersetze: 你好, 🙂")  # for the rows to score, in turn


@dataclass(frozen=True)
class Requests:
    """Requests that every form must answer.

    Attributes:
        prompts: texts.
        prompt_ids: the tokens of each, as far as they leave room for the answer: of a long prompt the last ones; of
            an empty one the end token.
        new_tokens: how many tokens an answer has at most.
        end_token_id: what ends an answer.
        rows: instruction, input and output to score.
        family: of the model, as ``model.family`` says.
    """

    prompts: Sequence[str]
    prompt_ids: Sequence[Sequence[int]]
    new_tokens: int
    end_token_id: int
    rows: Sequence[Sequence[str]]
    family: str = DEFAULT_FAMILY


def make_requests(model_folder: Path) -> Requests:
    """Samples of the evaluation split, then: no input, non-ASCII, no text at all, and more than the context.

    Args:
        model_folder: a model artifact's, with ``exports/prompt.json``, ``exports/training.json`` and the tokenizer.
    """
    exports = model_folder / "exports"
    spec: Mapping[str, Any] = json.loads((exports / "prompt.json").read_text(encoding="utf-8"))
    training = SampleRecord.read(exports)
    samples = training.samples[:SAMPLES]
    outputs = [sample.expected for sample in samples if sample.expected is not None] or ["Hello."]
    rows = [(INSTRUCTIONS[index % 2], "naïve" * (index % 3), output) for index, output in enumerate(outputs)]
    prompts = [
        *(sample.prompt for sample in samples),
        spec["without_input"].format(instruction="Say hello."),
        spec["with_input"].format(instruction="Übersetze: 你好, 🙂", input="naïve — “quotes”"),
        "",
        spec["with_input"].format(instruction="Sort.", input="pear " * spec["context_length"]),
    ]
    family = str(training.model.get("family", DEFAULT_FAMILY))
    return requests_of(model_folder, prompts, rows=rows, new_tokens=NEW_TOKENS, family=family)


def requests_of(
    model_folder: Path,
    prompts: Sequence[str],
    *,
    rows: Sequence[Sequence[str]],
    new_tokens: int,
    family: str = DEFAULT_FAMILY,
) -> Requests:
    """Returns these prompts and rows, tokenised as the published tokenizer does."""
    from tokenizers import Tokenizer

    exports = model_folder / "exports"
    spec: Mapping[str, Any] = json.loads((exports / "prompt.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(exports / "transformers/tokenizer.json"))
    tokenizer.encode_special_tokens = True
    room = spec["context_length"] - new_tokens
    ids = [tokenizer.encode(prompt, add_special_tokens=False).ids[-room:] for prompt in prompts]
    end = spec["end_token_id"]
    return Requests(prompts, [found or [end] for found in ids], new_tokens, end, rows, family)
