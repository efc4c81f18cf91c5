from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from modules import losses

TOKENS, WIDTH, VOCABULARY = 24, 6, 11


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "CHUNK_TOKENS", 8)


@pytest.fixture
def arrays() -> tuple[tf.Tensor, ...]:
    rng = np.random.default_rng(0)
    hidden, embedding = rng.normal(size=(TOKENS, WIDTH)), rng.normal(size=(VOCABULARY, WIDTH))
    targets = rng.integers(0, VOCABULARY, TOKENS)
    weights = (rng.random(TOKENS) > 0.3) / 10
    floats = [tf.constant(array, tf.float32) for array in (hidden, embedding, weights)]
    return floats[0], floats[1], tf.constant(targets, tf.int32), floats[2]


def test_loss_and_gradients_in_chunks_equal_the_plain_ones(arrays: tuple[tf.Tensor, ...]) -> None:
    hidden, embedding, targets, weights = arrays
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([hidden, embedding])
        loss, _ = losses.summed_loss(hidden, embedding, targets, weights)
        scaled = 3 * loss
        logits = tf.matmul(hidden, embedding, transpose_b=True)
        plain = 3 * tf.reduce_sum(
            keras.ops.sparse_categorical_crossentropy(targets, logits, from_logits=True) * weights
        )
    assert float(scaled) == pytest.approx(float(plain), rel=1e-6)
    for source in (hidden, embedding):
        np.testing.assert_allclose(tape.gradient(scaled, source), tape.gradient(plain, source), atol=1e-6)


def test_scores_are_the_likelihood_and_the_hit_of_each_target(arrays: tuple[tf.Tensor, ...]) -> None:
    hidden, embedding, targets, weights = arrays
    logits = tf.matmul(hidden, embedding, transpose_b=True)
    expected = np.stack(
        [
            tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits),
            tf.cast(tf.equal(tf.argmax(logits, -1, tf.int32), targets), tf.float32),
        ],
        axis=-1,
    )
    np.testing.assert_allclose(losses.token_scores(hidden, embedding, targets), expected, atol=1e-6)
    np.testing.assert_allclose(losses.summed_loss(hidden, embedding, targets, weights)[1], expected, atol=1e-6)


def test_no_array_of_all_logits_is_ever_made(arrays: tuple[tf.Tensor, ...]) -> None:
    hidden, embedding, targets, weights = arrays

    @tf.function(jit_compile=False)
    def step(hidden: tf.Tensor, embedding: tf.Tensor) -> tuple[tf.Tensor, ...]:
        with tf.GradientTape() as tape:
            tape.watch([hidden, embedding])
            loss, _ = losses.summed_loss(hidden, embedding, targets, weights)
        return tape.gradient(loss, [hidden, embedding])

    graph = step.get_concrete_function(hidden, embedding).graph
    functions = [graph, *(graph._get_function(name).graph for name in graph._functions if graph._get_function(name))]
    shapes = {tuple(out.shape) for g in functions for op in g.get_operations() for out in op.outputs if out.shape.rank}
    assert (8, VOCABULARY) in shapes
    assert (TOKENS, VOCABULARY) not in shapes
