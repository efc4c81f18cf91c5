from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from modules.models import losses

pytestmark = pytest.mark.arithmetic

TOKENS, WIDTH, VOCABULARY = 24, 6, 11


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "chunk_tokens", lambda vocabulary: 8)


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


def test_slots_at_the_end_are_left_out_and_the_last_chunk_may_be_short(arrays: tuple[tf.Tensor, ...]) -> None:
    hidden, embedding, targets, _ = (array[:21] if array.shape[0] == TOKENS else array for array in arrays)
    for used in (21, 9, 8, 1):
        weights = tf.cast(tf.range(21) < used, tf.float32) / used
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([hidden, embedding])
            loss, _ = losses.summed_loss(hidden, embedding, targets, weights)
            logits = tf.matmul(hidden, embedding, transpose_b=True)
            plain = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits) * weights)
        assert float(loss) == pytest.approx(float(plain), rel=1e-6)
        for source in (hidden, embedding):
            np.testing.assert_allclose(tape.gradient(loss, source), tape.gradient(plain, source), atol=1e-6)


def test_an_embedding_that_does_not_learn_gets_no_gradient(arrays: tuple[tf.Tensor, ...]) -> None:
    hidden, embedding, targets, weights = arrays
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([hidden, embedding])
        frozen, _ = losses.summed_loss(hidden, embedding, targets, weights, embedding_learns=False)
        loss, _ = losses.summed_loss(hidden, embedding, targets, weights)
    assert not tf.math.count_nonzero(tape.gradient(frozen, embedding))
    np.testing.assert_array_equal(tape.gradient(frozen, hidden), tape.gradient(loss, hidden))


def test_float16_keeps_gradients_that_are_smaller_than_it_can_tell(arrays: tuple[tf.Tensor, ...]) -> None:
    hidden, embedding, targets, _ = arrays
    weights = tf.fill([TOKENS], 1e-7)  # below float16's smallest normal number, as in a batch of millions of tokens
    scale = 2.0**15
    with tf.GradientTape(persistent=True) as tape:
        half = [tf.cast(array, tf.float16) for array in (hidden, embedding)]
        tape.watch([*half, hidden, embedding])
        scaled = losses.summed_loss(*half, targets, weights)[0] * scale
        exact = losses.summed_loss(hidden, embedding, targets, weights)[0] * scale
    for one, other in zip(half, (hidden, embedding), strict=True):
        np.testing.assert_allclose(tape.gradient(scaled, one), tape.gradient(exact, other), rtol=0.05, atol=1e-5)


def test_a_chunk_holds_as_many_logits_whatever_the_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert (losses.chunk_tokens(50257), losses.chunk_tokens(1024), losses.chunk_tokens(10**9)) == (320, 16384, 64)


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
