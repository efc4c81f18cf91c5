"""Raw text: every token of every document learnt once, scored as it was learnt, continued as it is."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras_hub.models import GPT2Backbone
from tokenizers import Tokenizer

from modules.models.gpt2.tokenizer import end_token_id
from modules.models.training_model import training_model
from modules.preprocessing import preprocessing_fn
from modules.prompts import ALPACA, DOCUMENT
from modules.serving.generation import TextGenerator
from modules.serving.signatures import ServingModule
from modules.settings.generation import GenerationSettings
from modules.settings.run import RunSettings
from modules.trainer import document_prompts
from modules.training.callbacks.evaluation import evaluate
from modules.training.dataset import PackedBatches, tokenize_examples

pytestmark = pytest.mark.arithmetic

DEFAULTS = GenerationSettings(max_new_tokens=8)
DOCUMENTS = ["pear, apple and pear", "a", "héllo 🙂 world " * 30, "Sort the words. " * 3]


def learnt(documents: list[str], tokenizer: Tokenizer, *, sequence_length: int, packing: str) -> list[tuple[int, int]]:
    """Each supervised pair of an input and the token after it, sorted."""
    examples = tokenize_examples(
        [""] * len(documents), documents, tokenizer, sequence_length=sequence_length, overlong="split"
    )
    batches = PackedBatches(examples, sequence_length=sequence_length, batch_size=2, packing=packing)
    pairs: list[tuple[int, int]] = []
    for index in range(len(batches)):
        inputs, targets, weights = batches[index]
        used = weights > 0
        before = inputs["token_ids"].reshape(-1)[inputs["supervised"][used]]
        pairs += list(zip(before.tolist(), targets[used].tolist(), strict=True))
    return sorted(pairs)


def streams(documents: list[str], tokenizer: Tokenizer) -> list[list[int]]:
    end = end_token_id(tokenizer)
    return [[end, *tokenizer.encode(document).ids, end] for document in documents]


@pytest.mark.parametrize("packing", ["best_fit", "none"])
@settings(deadline=None, max_examples=30)
@given(
    documents=st.lists(st.text("ab ,\n🙂", min_size=1, max_size=60), min_size=1, max_size=6),
    sequence_length=st.integers(2, 24),
)
def test_every_token_of_every_document_is_learnt_once_whatever_the_row(
    tokenizer: Tokenizer, packing: str, documents: list[str], sequence_length: int
) -> None:
    pairs = [pair for stream in streams(documents, tokenizer) for pair in pairwise(stream)]

    assert learnt(documents, tokenizer, sequence_length=sequence_length, packing=packing) == sorted(pairs)


def test_a_long_document_is_cut_into_consecutive_rows_and_the_last_has_the_end_token(tokenizer: Tokenizer) -> None:
    stream = streams(["pear apple " * 9], tokenizer)[0]
    examples = tokenize_examples([""], ["pear apple " * 9], tokenizer, sequence_length=8, overlong="split")
    rows = [
        examples.token_ids[start:end].tolist()
        for start, end in zip(examples.offsets, examples.offsets[1:], strict=False)
    ]

    assert rows == [stream[start : start + 9] for start in range(0, len(stream) - 1, 8)]
    assert rows[-1][-1] == end_token_id(tokenizer)
    assert set(examples.prompt_lengths.tolist()) == {1}
    assert set(examples.source_rows.tolist()) == {0}
    assert (examples.rows_read, examples.rows_split, examples.rows_dropped) == (1, 1, 0)


def test_documents_that_share_a_row_are_isolated(tokenizer: Tokenizer) -> None:
    examples = tokenize_examples([""] * 2, ["pear", "apple"], tokenizer, sequence_length=32, overlong="split")
    inputs, _, _ = PackedBatches(examples, sequence_length=32, batch_size=1)[0]
    first, second = (inputs["token_ids"][inputs["segment_ids"] == segment] for segment in (1, 2))
    end = end_token_id(tokenizer)

    assert first[0] == second[0] == end
    assert sorted(tokenizer.decode(row[1:].tolist()) for row in (first, second)) == ["apple", "pear"]
    assert [inputs["positions"][inputs["segment_ids"] == segment][0] for segment in (1, 2)] == [0, 0]


def test_transform_gives_a_document_an_empty_prompt_and_neutralises_a_literal_end_token() -> None:
    columns = [["", ""], ["", ""], ["Once upon", "a <|endoftext|> b"]]
    names = ("instruction", "input", "output")
    inputs = {name: tf.constant(column)[:, None] for name, column in zip(names, columns, strict=True)}

    made = preprocessing_fn(inputs, {"kind": "text", "fingerprint": ""})

    assert made["prompt"].numpy().tolist() == [[b""], [b""]]
    assert made["response"].numpy().tolist() == [[b"Once upon"], [b"a <| endoftext |> b"]]


# -------------------------------------------------------------------------------------------- The exported model


@pytest.fixture(scope="module")
def base(backbone: GPT2Backbone, tokenizer: Tokenizer) -> ServingModule:
    return ServingModule(TextGenerator(backbone, tokenizer), DEFAULTS, DOCUMENT)


def test_the_loss_of_documents_is_the_same_in_training_and_in_evaluation(
    base: ServingModule, backbone: GPT2Backbone, tokenizer: Tokenizer
) -> None:
    empty = tf.constant([""] * len(DOCUMENTS))
    scores = base.score(empty, empty, tf.constant(DOCUMENTS))
    examples = tokenize_examples([""] * len(DOCUMENTS), DOCUMENTS, tokenizer, sequence_length=64, overlong="split")
    batches = PackedBatches(examples, sequence_length=64, batch_size=2, shuffle=False)
    measured = evaluate(training_model(backbone, sequence_length=64), batches)

    lengths = [len(stream) - 1 for stream in streams(DOCUMENTS, tokenizer)]
    assert max(lengths) > 3 * 64, "one document is longer than the context"
    assert scores["tokens"].numpy().tolist() == lengths
    assert scores["response_bytes"].numpy().tolist() == [len(document.encode()) for document in DOCUMENTS]
    loss = scores["negative_log_likelihood"].numpy().sum() / sum(lengths)
    np.testing.assert_allclose(loss, measured.loss, rtol=1e-5)
    np.testing.assert_allclose(
        scores["correct_tokens"].numpy().sum() / sum(lengths), measured.token_accuracy, rtol=1e-6
    )


def test_a_base_model_takes_its_prompt_as_it_is(base: ServingModule) -> None:
    prompt = tf.constant(["pear, ap", ""])
    empty = tf.constant(["", ""])

    plain = base.serve(prompt)["response"].numpy().tolist()

    assert base.instruct(prompt, empty)["response"].numpy().tolist() == plain
    assert base.plain["instruct"](prompt, empty)["response"].numpy().tolist() == plain


def test_the_published_templates_of_a_base_model_add_nothing() -> None:
    spec = DOCUMENT.spec(kind="text")

    assert (spec["kind"], spec["without_input"].format(instruction="Once")) == ("text", "Once")
    assert spec["with_input"].format(instruction="Once", input="upon") == DOCUMENT.format("Once", "upon")
    assert ALPACA.spec(kind="instructions")["kind"] == "instructions"


def test_samples_of_a_base_model_are_beginnings_without_a_right_answer() -> None:
    questions = document_prompts(["One two  three\nfour five six seven eight.", "Short."])

    assert questions.prompts == ["One two three four five six", "Short."]
    assert questions.expected == ["", ""]


def test_text_is_always_split_and_instructions_never(tokenizer: Tokenizer) -> None:
    groups = {"model": {}, "training": {"overlong": "drop"}, "generation": {}, "export": {}}

    text, rows = (
        RunSettings.from_custom_config(groups | {"data": {"kind": kind}}) for kind in ("text", "instructions")
    )

    assert (text.overlong, text.published_training()["overlong"]) == ("split", "split")
    assert (rows.overlong, rows.published_training()["overlong"]) == ("drop", "drop")
