"""A model's answers to rows, by the cheapest exported form that computes in float32.

CTranslate2 answers in a fraction of the SavedModel's time. ServingProof holds the two to the same answers, and a model
that it refuses is not published, whatever they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.tfrecords import Row
from modules.exports.ctranslate2 import FLOAT32
from modules.exports.form import ExportForm
from modules.exports.saved_model import SAVED_MODEL
from modules.progress import PartsProgress
from modules.prompts import format_of_spec
from modules.proving.requests import requests_of

BATCH_ROWS = 16
SIGNATURES = ("instruct_with_options", "instruct")  # the second one of models exported before there was the first
GREEDY = {"temperature": 0.0, "top_k": 0, "top_p": 1.0, "seed": 0}

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Answer:
    """An answer of a model, and whether it ended there by itself."""

    text: str
    stopped: bool


def form_to_ask(model_folder: Path) -> ExportForm:
    """Returns the form of a model artifact that is asked: CTranslate2 in float32, or the SavedModel without it."""
    return FLOAT32 if (model_folder / FLOAT32.artifact_folder).is_dir() else SAVED_MODEL


def ask(model_folder: Path, rows: Sequence[Row], *, form: ExportForm, max_new_tokens: int) -> list[Answer]:
    """Returns greedy answers to `rows`, in prompts of the model's own format.

    Args:
        model_folder: the model artifact's.
        rows: what to ask; their outputs are not looked at.
        form: CTranslate2 in float32, or the SavedModel.
        max_new_tokens: the longest answer.
    """
    if not rows:
        return []
    way = _ask_ctranslate2 if form is FLOAT32 else _ask_saved_model
    with PartsProgress("answering", total=len(rows)) as progress:
        progress.begin(f"{len(rows):,} questions")
        return way(model_folder / form.artifact_folder, rows, max_new_tokens, progress.advance)


def _ask_ctranslate2(folder: Path, rows: Sequence[Row], max_new_tokens: int, advance: Advance) -> list[Answer]:
    import ctranslate2
    from tokenizers import Tokenizer

    exports = folder.parent
    prompt_format = format_of_spec(json.loads((exports / "prompt.json").read_text(encoding="utf-8")))
    texts = [prompt_format.format(row.instruction, row.input) for row in rows]
    prompts = requests_of(exports.parent, texts, rows=(), new_tokens=max_new_tokens).prompt_ids
    tokenizer = Tokenizer.from_file(str(exports / "transformers/tokenizer.json"))
    generator = ctranslate2.Generator(str(folder), device="cpu")
    answers: dict[int, Answer] = {}
    for batch in _batches([len(ids) for ids in prompts]):
        results = generator.generate_batch(
            [[tokenizer.id_to_token(token) for token in prompts[number]] for number in batch],
            max_length=max_new_tokens + 1,  # an answer that then has one token more was cut
            sampling_topk=1,
            include_prompt_in_result=False,
        )
        for number, result in zip(batch, results, strict=True):
            ids = result.sequences_ids[0]
            text = tokenizer.decode(ids[:max_new_tokens], skip_special_tokens=False)
            answers[number] = Answer(text, stopped=len(ids) <= max_new_tokens)
        advance(len(batch))
    return [answers[number] for number in range(len(rows))]


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yields numbers of rows; those of like length go together, so that little is padding and few wait for a long
    one."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    for start in range(0, len(order), BATCH_ROWS):
        yield order[start : start + BATCH_ROWS]


def _ask_saved_model(folder: Path, rows: Sequence[Row], max_new_tokens: int, advance: Advance) -> list[Answer]:
    """Asks as whoever serves it would: loaded from its files, through its signatures."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401 - registers the tokenizer's operations
    from tfx.utils import path_utils

    loaded = tf.saved_model.load(str(path_utils.serving_model_path(str(folder.parent))))
    instruct = next(loaded.signatures[name] for name in SIGNATURES if name in loaded.signatures)
    texts = _respond(instruct, rows, max_new_tokens, advance=advance)
    # A token is at least a byte, so a shorter text was ended by the model. Of the others, those that one token more
    # would not make longer were ended, too.
    unclear = [number for number, text in enumerate(texts) if len(text) >= max_new_tokens]
    longer = _respond(instruct, [rows[number] for number in unclear], max_new_tokens + 1)
    cut = {number for number, text in zip(unclear, longer, strict=True) if text != texts[number]}
    return [Answer(text.decode("utf-8", "replace"), number not in cut) for number, text in enumerate(texts)]


def _respond(
    instruct: Any, rows: Sequence[Row], max_new_tokens: int, *, advance: Advance = lambda _: None
) -> list[bytes]:
    import tensorflow as tf

    options = {name: tf.constant(value) for name, value in {**GREEDY, "max_new_tokens": max_new_tokens}.items()}
    texts: dict[int, bytes] = {}
    for batch in _batches([len(row.instruction) + len(row.input) for row in rows]):
        instructions, inputs = (
            tf.constant([getattr(rows[number], name) for number in batch]) for name in ("instruction", "input")
        )
        answers = instruct(instruction=instructions, input=inputs, **options)["response"].numpy()
        texts.update(zip(batch, answers, strict=True))
        advance(len(batch))
    return [texts[number] for number in range(len(rows))]
