"""The fresh process: loads every exported form of a model, asks it, compares with the reference.

    python -m pipeline.components.serving_proof.prove MODEL_FOLDER REPORT_FILE

The reference is the Transformers checkpoint, computed in NumPy. Forms that expose logits must give the same ones
after every token of prompt and answer; the SavedModel must give the same text. CTranslate2 stores int8 weights: there,
the tokens that it prefers must be nearly the reference's best.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tokenizers import Tokenizer

from pipeline.components.serving_proof.gpt2 import greedy, load_logits
from pipeline.components.serving_proof.requests import make_prompts

NEW_TOKENS = 8
FLOAT_TOLERANCE = 1e-3  # of logits, as a share of their spread; float32 sums in another order
INT8_TOLERANCE = 1.0  # how far below the best one, as a share of the spread, the int8 model's choice may be
NEAR_TIE = 1e-3  # share of the spread; closer choices may fall either way


class Case(NamedTuple):
    """One request and the reference's answer.

    Attributes:
        prompt: text.
        prompt_ids: its last tokens, as far as they leave room for the answer.
        answer_ids: greedy, without the end token.
        logits: float32 [prompt and answer tokens, V].
        certain: whether no choice on the way was nearly a tie.
    """

    prompt: str
    prompt_ids: list[int]
    answer_ids: list[int]
    logits: np.ndarray
    certain: bool

    @property
    def spread(self) -> float:
        """Standard deviation of the logits: the unit of every tolerance."""
        return float(self.logits.std())


def make_cases(model_folder: Path, tokenizer: Tokenizer) -> list[Case]:
    """Every request with the reference's answer."""
    spec = json.loads((model_folder / "exports/prompt.json").read_text(encoding="utf-8"))
    end, room = spec["end_token_id"], spec["context_length"] - NEW_TOKENS
    reference = load_logits(model_folder / "exports/transformers")
    cases = []
    for prompt in make_prompts(model_folder):
        ids = tokenizer.encode(prompt, add_special_tokens=False).ids[-room:] or [end]
        answer = greedy(reference, ids, steps=NEW_TOKENS, end_token_id=end)
        logits = reference([*ids, *answer])
        best = np.sort(logits[len(ids) - 1 :], axis=-1)
        certain = bool((best[:, -1] - best[:, -2]).min() > NEAR_TIE * logits.std())
        cases.append(Case(prompt, ids, answer, logits, certain))
    return cases


def check_saved_model(model_folder: Path, cases: Sequence[Case], tokenizer: Tokenizer) -> dict[str, Any]:
    """The same text, greedily, through the signature that TensorFlow Serving calls."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401 - registers the tokenizer's operations

    serve = tf.saved_model.load(str(model_folder / "Format-Serving")).signatures["serving_default"]
    greedily = {"max_new_tokens": NEW_TOKENS, "temperature": 0.0, "top_k": 0, "top_p": 1.0, "seed": 0}
    prompts = tf.constant([case.prompt for case in cases])
    answers = serve(prompt=prompts, **{name: tf.constant(value) for name, value in greedily.items()})["response"]
    texts = [answer.decode("utf-8", "replace") for answer in answers.numpy()]
    wrong = [
        case.prompt
        for case, text in zip(cases, texts, strict=True)
        if text != tokenizer.decode(case.answer_ids, skip_special_tokens=False) and case.certain
    ]
    return {"requests": len(cases), "disagreements": wrong, "tolerance": "the same text"}


def check_keras(model_folder: Path, cases: Sequence[Case], tokenizer: Tokenizer) -> dict[str, Any]:
    """The same logits from the KerasHub preset."""
    import keras_hub

    backbone = keras_hub.models.GPT2CausalLM.from_preset(str(model_folder / "exports/keras")).backbone

    def logits(ids: list[int]) -> np.ndarray:
        tokens = np.array([ids])
        hidden = backbone({"token_ids": tokens, "padding_mask": np.ones_like(tokens)})
        return np.asarray(backbone.token_embedding(hidden, reverse=True))[0]

    return _compare_logits(cases, logits)


def check_ctranslate2(model_folder: Path, cases: Sequence[Case], tokenizer: Tokenizer) -> dict[str, Any]:
    """Choices nearly as good as the reference's, from int8 weights."""
    import ctranslate2

    generator = ctranslate2.Generator(str(model_folder / "exports/ctranslate2"), device="cpu")
    wrong, worst, same = [], 0.0, 0
    for case in cases:
        tokens = [tokenizer.id_to_token(token) for token in [*case.prompt_ids, *case.answer_ids]]
        output = np.array(generator.forward_batch([tokens]), dtype=np.float32)[0]
        chosen, first = output.argmax(-1), len(case.prompt_ids) - 1
        best = case.logits.max(-1)
        missed = (best - np.take_along_axis(case.logits, chosen[:, None], axis=-1)[:, 0])[first:] / case.spread
        worst, same = max(worst, float(missed.max())), same + int(not missed.any())
        if not np.isfinite(output).all() or missed.max() > INT8_TOLERANCE:
            wrong.append(case.prompt)
    tolerance = f"choices within {INT8_TOLERANCE} of the logits' spread"
    return {
        "requests": len(cases), "disagreements": wrong, "tolerance": tolerance, "largest": worst, "same_choices": same
    }  # fmt: skip


def _compare_logits(cases: Sequence[Case], logits: Callable[[list[int]], np.ndarray]) -> dict[str, Any]:
    wrong, worst = [], 0.0
    for case in cases:
        difference = float(np.abs(logits([*case.prompt_ids, *case.answer_ids]) - case.logits).max()) / case.spread
        worst = max(worst, difference)
        if not difference <= FLOAT_TOLERANCE:  # NaN included
            wrong.append(case.prompt)
    tolerance = f"logits within {FLOAT_TOLERANCE} of their spread"
    return {"requests": len(cases), "disagreements": wrong, "tolerance": tolerance, "largest": worst}


CHECKS = {"saved_model": check_saved_model, "keras": check_keras, "ctranslate2": check_ctranslate2}


def prove(model_folder: Path) -> dict[str, Any]:
    """Every form's result, or the error that kept it from being loaded."""
    tokenizer = Tokenizer.from_file(str(model_folder / "exports/transformers/tokenizer.json"))
    tokenizer.encode_special_tokens = True
    return dict(_results(model_folder, make_cases(model_folder, tokenizer), tokenizer))


def _results(model_folder: Path, cases: list[Case], tokenizer: Tokenizer) -> Iterator[tuple[str, dict[str, Any]]]:
    finite = all(np.isfinite(case.logits).all() for case in cases)
    wrong = [] if finite else [case.prompt for case in cases if not np.isfinite(case.logits).all()]
    yield "transformers", {"requests": len(cases), "disagreements": wrong, "tolerance": "finite logits: the reference"}
    for name, check in CHECKS.items():
        started = time.monotonic()
        try:
            result = check(model_folder, cases, tokenizer)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            result = {"error": f"{type(error).__name__}: {str(error).splitlines()[0]}"}
        yield name, result | {"seconds": time.monotonic() - started}


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(prove(Path(sys.argv[1])), indent=2), encoding="utf-8")
