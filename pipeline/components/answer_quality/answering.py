"""The exported SavedModel asked, as whoever serves it would: loaded from its files, through its signatures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from data.tfrecords import Row
from modules.progress import PartsProgress

BATCH_ROWS = 16
SIGNATURES = ("instruct_with_options", "instruct")  # the second one of models exported before there was the first
GREEDY = {"temperature": 0.0, "top_k": 0, "top_p": 1.0, "seed": 0}


@dataclass(frozen=True)
class Answer:
    """An answer of a model, and whether it ended there by itself."""

    text: str
    stopped: bool


def ask(saved_model: str, rows: Sequence[Row], *, max_new_tokens: int) -> list[Answer]:
    """Returns greedy answers to `rows`, each prompt formatted by the model itself.

    Args:
        saved_model: folder.
        rows: what to ask; their outputs are not looked at.
        max_new_tokens: the longest answer.
    """
    if not rows:
        return []
    import tensorflow as tf
    import tensorflow_text  # noqa: F401 - registers the tokenizer's operations

    with PartsProgress("answering", total=len(rows)) as progress:
        progress.begin(f"{len(rows):,} questions")
        loaded = tf.saved_model.load(saved_model)
        instruct = next(loaded.signatures[name] for name in SIGNATURES if name in loaded.signatures)
        texts = _respond(instruct, rows, max_new_tokens, advance=progress.advance)
    # A token is at least a byte, so a shorter text was ended by the model. Of the others, those that one token more
    # would not make longer were ended, too.
    unclear = [number for number, text in enumerate(texts) if len(text) >= max_new_tokens]
    longer = _respond(instruct, [rows[number] for number in unclear], max_new_tokens + 1)
    cut = {number for number, text in zip(unclear, longer, strict=True) if text != texts[number]}
    return [Answer(text.decode("utf-8", "replace"), number not in cut) for number, text in enumerate(texts)]


def _respond(
    instruct: Any, rows: Sequence[Row], max_new_tokens: int, *, advance: Callable[[int], None] = lambda _: None
) -> list[bytes]:
    """Returns the answers; rows of like length go together, so that little is padding and few wait for a long one."""
    import tensorflow as tf

    order = sorted(range(len(rows)), key=lambda number: len(rows[number].instruction) + len(rows[number].input))
    options = {name: tf.constant(value) for name, value in {**GREEDY, "max_new_tokens": max_new_tokens}.items()}
    texts: dict[int, bytes] = {}
    for start in range(0, len(order), BATCH_ROWS):
        batch = order[start : start + BATCH_ROWS]
        instructions, inputs = (
            tf.constant([getattr(rows[number], name) for number in batch]) for name in ("instruction", "input")
        )
        answers = instruct(instruction=instructions, input=inputs, **options)["response"].numpy()
        texts.update(zip(batch, answers, strict=True))
        advance(len(batch))
    return [texts[number] for number in range(len(rows))]
