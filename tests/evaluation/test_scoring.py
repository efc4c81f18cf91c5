"""The `score` signature against the plain definition: one row at a time, through KerasHub's own forward pass."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from keras_hub.models import GPT2Backbone
from tokenizers import Tokenizer

from modules.models import losses
from modules.models.gpt2.tokenizer import end_token_id
from modules.prompts import ALPACA
from modules.prompts.format import escape_end_tokens
from modules.serving import scoring
from modules.serving.signatures import ServingModule

pytestmark = pytest.mark.arithmetic

NAMES = ("negative_log_likelihood", "tokens", "correct_tokens", "response_bytes")
ROWS = [
    ("Sort.", "pear", "apple, pear"),
    ("Say hello.", "", "héllo 🙂"),
    ("Say hello.", " \n", "x"),
    ("Name it <|endoftext|>", "", "an <|endoftext|> of it"),
    ("", "", ""),
]


def score(serving: ServingModule, rows: list[tuple[str, str, str]]) -> np.ndarray:
    """float32 [rows, 4], in the order of NAMES."""
    found = serving.score(*(tf.constant(list(column)) for column in zip(*rows, strict=True)))
    return np.stack([found[name].numpy() for name in NAMES], axis=1)


def plainly(backbone: GPT2Backbone, tokenizer: Tokenizer, row: tuple[str, str, str]) -> list[float]:
    """The definition, in NumPy."""
    instruction, input_text, output = row
    response = [*tokenizer.encode(escape_end_tokens(output)).ids, end_token_id(tokenizer)]
    prompt = tokenizer.encode(ALPACA.format(instruction, input_text)).ids
    prompt = prompt[max(len(prompt) + len(response) - backbone.max_sequence_length - 1, 0) :]
    if not prompt or len(response) > backbone.max_sequence_length:
        return [0.0, 0.0, 0.0, 0.0]
    tokens = np.array([[*prompt, *response]])
    hidden = backbone({"token_ids": tokens[:, :-1], "padding_mask": np.ones_like(tokens[:, :-1])})
    logits = np.asarray(backbone.token_embedding(hidden, reverse=True), np.float64)[0, len(prompt) - 1 :]
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    likelihood = -log_probabilities[np.arange(len(response)), response].sum()
    hits = (logits.argmax(-1) == response).sum()
    return [likelihood, len(response), hits, len(escape_end_tokens(output).encode())]


def test_scores_equal_the_definition_row_by_row(
    serving: ServingModule, backbone: GPT2Backbone, tokenizer: Tokenizer
) -> None:
    expected = [plainly(backbone, tokenizer, row) for row in ROWS]

    np.testing.assert_allclose(score(serving, ROWS), expected, rtol=2e-5)


def test_the_order_and_number_of_rows_do_not_change_a_score(
    serving: ServingModule, backbone: GPT2Backbone, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CHUNK_ROWS", 3)
    monkeypatch.setattr(losses, "CHUNK_TOKENS", 7)
    scorer = scoring.ResponseScorer(serving.generator)
    rows = (ROWS * 4)[3:]
    scores = scorer.score(*(tf.constant(list(column)) for column in zip(*rows, strict=True)))
    expected = [plainly(backbone, tokenizer, row) for row in rows]

    np.testing.assert_allclose(np.stack(scores, axis=1), expected, rtol=2e-5)


def test_a_prompt_that_fills_the_context_keeps_its_last_tokens(
    serving: ServingModule, backbone: GPT2Backbone, tokenizer: Tokenizer
) -> None:
    row = ("pear " * 200, "", "apple")
    found = score(serving, [row, ROWS[0]])

    np.testing.assert_allclose(found[0], plainly(backbone, tokenizer, row), rtol=2e-5)
    assert found[0, 1] > 0


def test_a_response_that_does_not_fit_is_not_scored(serving: ServingModule) -> None:
    found = score(serving, [("Write.", "", "é" * 100), ROWS[0]])

    assert found[0].tolist() == [0, 0, 0, 0]
    assert found[1, 1] > 0


def test_features_may_come_as_a_column(serving: ServingModule) -> None:
    columns = [tf.constant(list(column)) for column in zip(*ROWS, strict=True)]
    flat = serving.score(*columns)
    column = serving.score(*(text[:, None] for text in columns))

    for name in NAMES:
        assert column[name].numpy().tolist() == flat[name].numpy().tolist()


def test_no_rows_give_no_scores(serving: ServingModule) -> None:
    nothing = tf.constant([], tf.string)

    assert {name: values.shape.as_list() for name, values in serving.score(nothing, nothing, nothing).items()} == {
        name: [0] for name in NAMES
    }
