"""The fresh process: loads one exported form of a model and answers every request with it.

    python -m modules.proving.answering FORM MODEL_FOLDER REQUESTS_FILE ANSWERS_FILE

Each form is loaded as its readers do, and shares no code with the others: SavedModel through TensorFlow Serving's
request shapes, the KerasHub preset with KerasHub, CTranslate2 with CTranslate2, and the Transformers checkpoint, whose
usual reader needs PyTorch, in NumPy.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from modules.models.gpt2.family import GPT2
from modules.models.gpt2.numpy_gpt2 import Cache, Logits, load_logits
from modules.processes import little_garbage
from modules.proving.requests import Requests

BATCH_TOKENS = 4096  # of prompts that go through a model together, padding included

# What a form answers, as arrays of a .npz file. A form that works on tokens gives `ids` int32 [requests, new tokens],
# filled with -1 after the answer's end, `steps` int32 [requests], and `logs` float32 [sum of steps, V]: the
# log-probabilities that each of its choices was made by, the end token's included. A form that works on texts gives
# `texts`, the answers' bytes in hexadecimal. Both give, if they can, `scores` float32 [rows, 2]: negative
# log-likelihood (nats) and number of tokens of each row's output.
Answers = dict[str, np.ndarray]
NextLogits = Callable[[Mapping[int, Sequence[int]]], np.ndarray]  # request → all its token ids → float32 [B, V]


def ask_saved_model(model_folder: Path, requests: Requests) -> Answers:
    """Greedily, through PredictRequests; the requests that it warms itself up with must work too."""
    from modules.proving import tf_serving

    model = tf_serving.load(model_folder / "Format-Serving")
    for request in tf_serving.warmup_requests(model_folder / "Format-Serving"):
        tf_serving.predict(model, request)
    options = {"max_new_tokens": requests.new_tokens, "temperature": 0.0, "top_k": 0, "top_p": 1.0, "seed": 0}
    texts: dict[int, bytes] = {}
    for batch in _batches(dict(enumerate(requests.prompt_ids))):
        prompts = {"prompt": [requests.prompts[index] for index in batch]}
        given = tf_serving.predict(model, tf_serving.make_request("with_options", prompts | options))
        texts |= dict(zip(batch, tf_serving.outputs(given)["response"].tolist(), strict=True))
    columns = zip(("instruction", "input", "output"), zip(*requests.rows, strict=True), strict=True)
    asked = tf_serving.make_request("score", {name: list(column) for name, column in columns})
    scores = tf_serving.outputs(tf_serving.predict(model, asked))
    return {
        "texts": np.array([texts[index].hex() for index in range(len(texts))]),
        "scores": np.stack([scores["negative_log_likelihood"], scores["tokens"]], axis=1),
    }


def ask_keras(model_folder: Path, requests: Requests) -> Answers:
    """From the KerasHub preset's backbone."""
    logits = GPT2.preset_logits(model_folder / "exports/keras")

    def next_logits(rows: Mapping[int, Sequence[int]]) -> np.ndarray:
        lengths = np.array([len(ids) for ids in rows.values()])
        tokens = np.zeros((len(rows), lengths.max()), np.int32)
        for row, ids in zip(tokens, rows.values(), strict=True):
            row[: len(ids)] = ids
        return logits(tokens, lengths)

    return _decode(next_logits, requests)


def ask_transformers(model_folder: Path, requests: Requests) -> Answers:
    """From the safetensors, in NumPy; also scores the rows, which it formats by prompt.json."""
    logits = load_logits(model_folder / "exports/transformers")
    return ask_logits(logits, requests) | {"scores": score_rows(model_folder, logits, requests.rows)}


def ask_logits(logits: Logits, requests: Requests) -> Answers:
    """Greedily, from a model that is a function."""
    caches: dict[int, Cache] = {}

    def next_logits(rows: Mapping[int, Sequence[int]]) -> np.ndarray:
        following = {}
        for index, ids in rows.items():
            new = ids[-1:] if index in caches else ids
            following[index] = logits(new, last=1, cache=caches.setdefault(index, {}))[-1]
        return np.stack(list(following.values()))

    return _decode(next_logits, requests)


def ask_ctranslate2(model_folder: Path, requests: Requests) -> Answers:
    """From int8 weights."""
    return _generate(model_folder / "exports/ctranslate2", model_folder, requests)


def ask_ctranslate2_float32(model_folder: Path, requests: Requests) -> Answers:
    """From float32 weights."""
    return _generate(model_folder / "exports/ctranslate2_float32", model_folder, requests)


def _generate(folder: Path, model_folder: Path, requests: Requests) -> Answers:
    import ctranslate2
    from tokenizers import Tokenizer

    generator = ctranslate2.Generator(str(folder), device="cpu")
    tokenizer = Tokenizer.from_file(str(model_folder / "exports/transformers/tokenizer.json"))
    answers = []
    for ids in requests.prompt_ids:
        (result,) = generator.generate_batch(
            [[tokenizer.id_to_token(token) for token in ids]],
            max_length=requests.new_tokens,
            sampling_topk=1,
            include_prompt_in_result=False,
            return_logits_vocab=True,
        )
        logits = [np.asarray(step, np.float32).reshape(-1) for step in result.logits[0]]
        answers.append((result.sequences_ids[0], log_softmax(np.stack(logits))))
    return pack(answers, requests)


FORMS: Mapping[str, Callable[[Path, Requests], Answers]] = {
    "saved_model": ask_saved_model,
    "keras": ask_keras,
    "transformers": ask_transformers,
    "ctranslate2_float32": ask_ctranslate2_float32,
    "ctranslate2": ask_ctranslate2,
}


def _decode(next_logits: NextLogits, requests: Requests) -> Answers:
    """Greedy decoding, where each choice is made from all tokens before it."""
    new: list[list[int]] = [[] for _ in requests.prompt_ids]
    logs: list[list[np.ndarray]] = [[] for _ in new]
    running = list(range(len(new)))
    for _ in range(requests.new_tokens):
        rows = {index: [*requests.prompt_ids[index], *new[index]] for index in running}
        for batch in _batches(rows):
            for index, log in zip(
                batch, log_softmax(next_logits({index: rows[index] for index in batch})), strict=True
            ):
                logs[index].append(log)
                new[index].append(int(np.argmax(log)))
        running = [index for index in running if new[index][-1] != requests.end_token_id]
    answers = [([token for token in ids if token != requests.end_token_id], np.stack(steps))
               for ids, steps in zip(new, logs, strict=True)]  # fmt: skip
    return pack(answers, requests)


def _batches(rows: Mapping[int, Sequence[int]]) -> Iterator[list[int]]:
    """Indices of rows of similar length that fit into BATCH_TOKENS together."""
    batch: list[int] = []
    for index in sorted(rows, key=lambda index: len(rows[index])):
        if batch and (len(batch) + 1) * len(rows[index]) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def pack(answers: Sequence[tuple[Sequence[int], np.ndarray]], requests: Requests) -> Answers:
    """Answers without the end token, and the log-probabilities of their steps, float32 [steps, V], as arrays."""
    ids = np.full((len(answers), requests.new_tokens), -1, np.int32)
    for row, (answer, _) in zip(ids, answers, strict=True):
        row[: len(answer)] = answer
    steps = np.array([len(logs) for _, logs in answers], np.int32)
    return {"ids": ids, "steps": steps, "logs": np.concatenate([logs for _, logs in answers])}


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """float32 [..., V] → the same, in double precision on the way."""
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    return (shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))).astype(np.float32)


def score_rows(
    model_folder: Path, logits: Callable[[Sequence[int]], np.ndarray], rows: Sequence[Sequence[str]]
) -> np.ndarray:
    """What the ``score`` signature gives, by the definition: float32 [rows, 2], see `Answers`."""
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


def main(arguments: Sequence[str]) -> None:
    """Answers with one form."""
    form, model_folder, requests_file, answers_file = arguments
    requests = Requests(**json.loads(Path(requests_file).read_text(encoding="utf-8")))
    with little_garbage():
        np.savez(answers_file, allow_pickle=False, **FORMS[form](Path(model_folder), requests))


if __name__ == "__main__":
    main(sys.argv[1:])
