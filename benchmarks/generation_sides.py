"""One side of benchmarks.generation_speed, in a process of its own: loads an export and times its answers.

    python -m benchmarks.generation_sides SIDE TASK_FILE

Every side takes the same token ids (the SavedModel the same texts) and generates greedily up to `new_tokens`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Task:
    """The text to generate, and with what.

    Attributes:
        model_folder: a Trainer's model artifact.
        prompts: texts.
        prompt_ids: the tokens of each.
        new_tokens: how many tokens an answer has at most.
        end_token_id: what ends it.
        batches: sizes of the batches to time; each divides the number of prompts.
        turns: how often each is timed; the best counts.
    """

    model_folder: str
    prompts: Sequence[str]
    prompt_ids: Sequence[Sequence[int]]
    new_tokens: int
    end_token_id: int
    batches: Sequence[int]
    turns: int


Answer = Callable[[Sequence[int]], int]  # indices of prompts → tokens generated, end tokens included; 0 if not known


def saved_model(task: Task) -> Answer:
    """Its signature for options."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401 - registers the tokenizer's operations

    answer = tf.saved_model.load(f"{task.model_folder}/Format-Serving").signatures["with_options"]
    options = {"max_new_tokens": task.new_tokens, "temperature": 0.0, "top_k": 0, "top_p": 1.0, "seed": 0}
    given = {name: tf.constant(value) for name, value in options.items()}

    def run(chosen: Sequence[int]) -> int:
        answer(prompt=tf.constant([task.prompts[index] for index in chosen]), **given)["response"].numpy()
        return 0

    return run


def keras(task: Task) -> Answer:
    """Returns KerasHub's ``generate``."""
    import keras_hub
    import numpy as np

    model = keras_hub.models.GPT2CausalLM.from_preset(f"{task.model_folder}/exports/keras", preprocessor=None)
    model.compile(sampler="greedy")

    def run(chosen: Sequence[int]) -> int:
        rows = [task.prompt_ids[index] for index in chosen]
        tokens = np.zeros((len(rows), max(map(len, rows)) + task.new_tokens), np.int32)
        for row, ids in zip(tokens, rows, strict=True):
            row[: len(ids)] = ids
        mask = np.arange(tokens.shape[1]) < np.array([[len(ids)] for ids in rows])
        model.generate({"token_ids": tokens, "padding_mask": mask}, stop_token_ids=[task.end_token_id])
        return 0

    return run


def ctranslate2_float32(task: Task) -> Answer:
    return _ctranslate2(task, "ctranslate2_float32")


def ctranslate2(task: Task) -> Answer:
    return _ctranslate2(task, "ctranslate2")


def _ctranslate2(task: Task, folder: str) -> Answer:
    import ctranslate2 as runtime
    from tokenizers import Tokenizer

    generator = runtime.Generator(f"{task.model_folder}/exports/{folder}")
    tokenizer = Tokenizer.from_file(f"{task.model_folder}/exports/transformers/tokenizer.json")
    rows = [[tokenizer.id_to_token(token) for token in ids] for ids in task.prompt_ids]

    def run(chosen: Sequence[int]) -> int:
        results = generator.generate_batch(
            [rows[index] for index in chosen],
            max_length=task.new_tokens,
            sampling_topk=1,
            include_prompt_in_result=False,
        )
        return sum(min(len(result.sequences_ids[0]) + 1, task.new_tokens) for result in results)

    return run


def transformers(task: Task) -> Answer:
    """Transformers' ``generate`` on PyTorch."""
    import torch  # type: ignore[import-not-found, unused-ignore]
    from transformers import AutoModelForCausalLM  # type: ignore[import-not-found, unused-ignore]

    model = AutoModelForCausalLM.from_pretrained(f"{task.model_folder}/exports/transformers").eval()

    def run(chosen: Sequence[int]) -> int:
        rows = [list(task.prompt_ids[index]) for index in chosen]
        longest = max(map(len, rows))
        tokens = torch.tensor([[task.end_token_id] * (longest - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
        with torch.inference_mode():
            made = model.generate(
                tokens,
                attention_mask=mask,
                max_new_tokens=task.new_tokens,
                do_sample=False,
                eos_token_id=task.end_token_id,
                pad_token_id=task.end_token_id,
            )
        new = (row.tolist() for row in made[:, longest:])
        return sum(row.index(task.end_token_id) + 1 if task.end_token_id in row else len(row) for row in new)

    return run


SIDES: dict[str, Callable[[Task], Answer]] = {
    "saved_model": saved_model,
    "keras": keras,
    "ctranslate2_float32": ctranslate2_float32,
    "ctranslate2": ctranslate2,
    "transformers": transformers,
}


def measure(side: str, task: Task) -> dict[str, Any]:
    """By batch size, the best turn's seconds for all prompts, after one turn that does not count; and the tokens."""
    answer, count = SIDES[side](task), len(task.prompts)
    seconds, tokens = {}, 0
    for batch in task.batches:
        turns = []
        for _ in range(task.turns + 1):
            started = time.perf_counter()
            tokens = sum(answer(range(start, start + batch)) for start in range(0, count, batch))
            turns.append(time.perf_counter() - started)
        seconds[batch] = min(turns[1:])
    return {"seconds": seconds, "tokens": tokens}


def main(arguments: Sequence[str]) -> None:
    side, task_file = arguments
    task = Task(**json.loads(Path(task_file).read_text(encoding="utf-8")))
    sys.stdout.write(json.dumps(measure(side, task)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
