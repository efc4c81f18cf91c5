"""Compares the answers of all exports of a model: a table over 100 prompts.

    python -m benchmarks.agreement MODEL_FOLDER [--transformers-python .venv-parity/bin/python]

The prompts are the held-out rows of the sample data set, with and without input, and some that break front ends:
non-ASCII text, none at all, and as many tokens as the context has or leaves, one more or less. Every form runs in a
process of its own and answers greedily. The reference is the Transformers checkpoint: in Transformers itself where an
interpreter that has it and PyTorch is named, otherwise in NumPy.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from data.tfrecords import Row, read_examples
from modules.exports import FORMS
from modules.prompts import PromptFormat, format_of_spec
from modules.proving.agreement import REFERENCE, judge_choices
from modules.proving.requests import Requests, requests_of
from pipeline.components.serving_proof.comparison import compare
from pipeline.components.serving_proof.prove import Found, ask_all

PROJECT = Path(__file__).parents[1]
ROWS = PROJECT / "data/sample/tfrecords/sample-eval-00000-of-00001.tfrecord"
NON_ASCII = ("Übersetze: 你好, 🙂", "Répète « naïve »", "Скажи привет", "مرحبا بالعالم", "e\u0301 or é? \u200b\u00a0")
NUMPY = "numpy"
NAMES = {REFERENCE: FORMS[REFERENCE].label, NUMPY: "the same in NumPy"} | {
    form.name: form.label for form in FORMS.values()
}


def main(arguments: Sequence[str]) -> int:
    """Prints the table; 1 if a form disagrees."""
    options = _parse(arguments)
    requests = make_requests(options.model_folder, count=options.prompts, new_tokens=options.new_tokens)
    answers = ask_all(options.model_folder, requests, timeout_seconds=options.timeout)
    found: dict[str, Found] = {form: asked.found for form, asked in answers.items()}
    if options.transformers_python:
        found = {NUMPY: found.pop(REFERENCE), **found}
        found = {REFERENCE: ask_transformers(options.transformers_python, options.model_folder, requests), **found}
    report = compare(found, options.model_folder, requests, judges={NUMPY: judge_choices})
    sys.stdout.write(table(report))
    return 1 if any("error" in result or result["disagreements"] for result in report.values()) else 0


def make_requests(model_folder: Path, *, count: int, new_tokens: int) -> Requests:
    """Returns `count` prompts, of which a fifth is unusual."""
    spec = json.loads((model_folder / "exports/prompt.json").read_text(encoding="utf-8"))
    prompt_format = format_of_spec(spec)
    tokenizer = Tokenizer.from_file(str(model_folder / "exports/transformers/tokenizer.json"))
    context = spec["context_length"]
    lengths = [context + more for more in (-new_tokens - 1, -new_tokens, 1 - new_tokens, -1, 0, 1, context)]
    odd = [*_odd_prompts(prompt_format), *(_prompt_of(length, tokenizer, prompt_format) for length in lengths)][
        : count // 5
    ]
    rows = _rows_of_both_kinds(count - len(odd))
    prompts = [prompt_format.format(row.instruction, row.input) for row in rows] + odd
    scored = [(row.instruction, row.input, row.output) for row in rows[:8]]
    return requests_of(model_folder, prompts, rows=scored, new_tokens=new_tokens)


def ask_transformers(python: Path, model_folder: Path, requests: Requests) -> Found:
    """Returns the answers of Transformers' own ``generate``, in another interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder, "requests.json"), Path(folder, "answers.npz")
        asked.write_text(json.dumps(asdict(requests)), encoding="utf-8")
        command = [str(python), "-m", "benchmarks.transformers_answers", str(model_folder), str(asked), str(answered)]
        subprocess.run(command, cwd=PROJECT, check=True, stderr=subprocess.DEVNULL)
        with np.load(answered) as arrays:
            return dict(arrays)


def table(report: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns one line per form."""
    count = max(result.get("requests", 0) for result in report.values())
    lines = [
        f"| form | same greedy answers, of {count} | differ at a tie | disagree | largest difference, nats |",
        "| --- | --- | --- | --- | --- |",
    ]
    for form in [form for form in NAMES if form in report]:
        result = report[form]
        cells = [NAMES[form], f"cannot answer: {result['error']}"] if "error" in result else _cells(form, result)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cells(form: str, result: Mapping[str, Any]) -> list[str]:
    nats = "the reference" if form == REFERENCE else f"{result['nats']:.2g}"
    if form == "saved_model":
        nats += " (per token of scored outputs)"
    if form == "ctranslate2":
        nats += f" ({result['largest']:.1%} of the logits; rounding alone {result['rounding']:.1%})"
    figures = (result["same_answers"], result["near_ties"], len(result["disagreements"]))
    return [NAMES[form], *map(str, figures), nats]


def _rows_of_both_kinds(count: int) -> list[Row]:
    """Returns evenly many with and without an input, as far as there are."""
    rows = list(read_examples(ROWS))
    kinds = [[row for row in rows if bool(row.input.strip()) is given] for given in (True, False)]
    return [row for pair in zip(*kinds, strict=False) for row in pair][:count]


def _odd_prompts(prompt_format: PromptFormat) -> Iterator[str]:
    yield ""
    yield " \n"
    yield from (prompt_format.format(text) for text in NON_ASCII)
    yield from (prompt_format.format("Say it again.", text) for text in NON_ASCII)
    yield prompt_format.format("Say <|endoftext|>.", "<|endoftext|>")


def _prompt_of(tokens: int, tokenizer: Tokenizer, prompt_format: PromptFormat) -> str:
    """Returns a prompt of so many tokens."""
    words = tokens
    while len(tokenizer.encode(prompt := prompt_format.format("Sort.", "a" + " a" * words)).ids) > tokens:
        words -= 1
    return prompt


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement", description=__doc__)
    parser.add_argument("model_folder", type=Path, help="a Trainer's model artifact")
    parser.add_argument("--transformers-python", type=Path, help="interpreter with Transformers and PyTorch")
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--new-tokens", type=int, default=16, help="length of an answer, at most")
    parser.add_argument("--timeout", type=float, default=3600, help="seconds")
    return parser.parse_args(list(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
