"""Answers of an exported form, and how they are made from a model that is a function."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from modules.proving.requests import Requests


class Logits(Protocol):
    """A model as a function: token ids [T] → float32 [T, V], or [last, V] of so many last ones only.

    With a cache, the ids are those that follow what the cache has seen; it is filled on the way.
    """

    def __call__(
        self, token_ids: Sequence[int], *, last: int | None = None, cache: Cache | None = None
    ) -> np.ndarray: ...


BATCH_TOKENS = 4096  # of prompts that go through a model together, padding included

# What a form answers, as arrays of a .npz file. A form that works on tokens gives `ids` int32 [requests, new tokens],
# filled with -1 after the answer's end, `steps` int32 [requests], and `logs` float32 [sum of steps, V]: the
# log-probabilities that each of its choices was made by, the end token's included. A form that works on texts gives
# `texts`, the answers' bytes in hexadecimal. Both give, if they can, `scores` float32 [rows, 2]: negative
# log-likelihood (nats) and number of tokens of each row's output.
Answers = Mapping[str, np.ndarray]
Cache = dict[int, tuple[np.ndarray, np.ndarray]]  # what a model that is a function keeps of earlier tokens
NextLogits = Callable[[Mapping[int, Sequence[int]]], np.ndarray]  # request → all its token ids → float32 [B, V]


def ask_logits(logits: Logits, requests: Requests) -> Answers:
    """Answers greedily with a model that is a function."""
    caches: dict[int, Cache] = {}

    def next_logits(rows: Mapping[int, Sequence[int]]) -> np.ndarray:
        following = {}
        for index, ids in rows.items():
            new = ids[-1:] if index in caches else ids
            following[index] = logits(new, last=1, cache=caches.setdefault(index, {}))[-1]
        return np.stack(list(following.values()))

    return decode_greedily(next_logits, requests)


def decode_greedily(next_logits: NextLogits, requests: Requests) -> Answers:
    """Answers greedily, where each choice is made from all tokens before it."""
    new: list[list[int]] = [[] for _ in requests.prompt_ids]
    logs: list[list[np.ndarray]] = [[] for _ in new]
    running = list(range(len(new)))
    for _ in range(requests.new_tokens):
        rows = {index: [*requests.prompt_ids[index], *new[index]] for index in running}
        for batch in batches(rows):
            for index, log in zip(
                batch, log_softmax(next_logits({index: rows[index] for index in batch})), strict=True
            ):
                logs[index].append(log)
                new[index].append(int(np.argmax(log)))
        running = [index for index in running if new[index][-1] != requests.end_token_id]
    answers = [([token for token in ids if token != requests.end_token_id], np.stack(steps))
               for ids, steps in zip(new, logs, strict=True)]  # fmt: skip
    return pack(answers, requests)


def padded(logits: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> NextLogits:
    """Returns a model that takes int32 [B, T] token ids and int [B] lengths, and gives logits after each row's last
    token, as :func:`decode_greedily` asks it."""

    def next_logits(rows: Mapping[int, Sequence[int]]) -> np.ndarray:
        lengths = np.array([len(ids) for ids in rows.values()])
        tokens = np.zeros((len(rows), lengths.max()), np.int32)
        for row, ids in zip(tokens, rows.values(), strict=True):
            row[: len(ids)] = ids
        return logits(tokens, lengths)

    return next_logits


def batches(rows: Mapping[int, Sequence[int]]) -> Iterator[list[int]]:
    """Yields indices of rows of similar length that fit into BATCH_TOKENS together."""
    batch: list[int] = []
    for index in sorted(rows, key=lambda index: len(rows[index])):
        if batch and (len(batch) + 1) * len(rows[index]) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def pack(answers: Sequence[tuple[Sequence[int], np.ndarray]], requests: Requests) -> Answers:
    """Returns answers without the end token, and their steps' log-probabilities, float32 [steps, V], as arrays."""
    ids = np.full((len(answers), requests.new_tokens), -1, np.int32)
    for row, (answer, _) in zip(ids, answers, strict=True):
        row[: len(answer)] = answer
    steps = np.array([len(logs) for _, logs in answers], np.int32)
    return {"ids": ids, "steps": steps, "logs": np.concatenate([logs for _, logs in answers])}


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Returns log-probabilities of logits, float32 [..., V], in double precision on the way."""
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    return (shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))).astype(np.float32)


def score_rows(
    model_folder: Path, logits: Callable[[Sequence[int]], np.ndarray], rows: Sequence[Sequence[str]]
) -> np.ndarray:
    """Returns what the ``score`` signature gives, by the definition: float32 [rows, 2], see `Answers`."""
    from tokenizers import Tokenizer

    exports = model_folder / "exports"
    spec = json.loads((exports / "prompt.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(exports / "transformers/tokenizer.json"))
    tokenizer.encode_special_tokens = True

    def score(instruction: str, input_text: str, output: str) -> tuple[float, int]:
        fields = [text.replace(spec["end_token"], spec["neutral_end_token"]) for text in (instruction, input_text)]
        template = spec["with_input" if input_text.strip(spec["blank_characters"]) else "without_input"]
        prompt = tokenizer.encode(template.format(instruction=fields[0], input=fields[1])).ids
        neutral = output.replace(spec["end_token"], spec["neutral_end_token"])
        response = [*tokenizer.encode(neutral).ids, spec["end_token_id"]]
        if len(response) > spec["context_length"]:
            return 0.0, 0
        prompt = prompt[max(len(prompt) + len(response) - spec["context_length"] - 1, 0) :]
        logs = log_softmax(logits([*prompt, *response[:-1]])[len(prompt) - 1 :])
        return -float(logs[np.arange(len(response)), response].sum(dtype=np.float64)), len(response)

    return np.array([score(*row) for row in rows], np.float32)
