"""Cross-entropy over the supervised tokens alone, a thousand at a time.

The logits of a batch, [batch, length, 50,257], would be the largest array of the whole step by far. Here they exist for
one chunk of supervised tokens at a time: the gradient of a chunk is taken while its logits are at hand, so nothing of
their size outlives the chunk and nothing is computed twice. The idea is that of Cut Cross-Entropy (Wijmans et al.,
2024) and Liger Kernel's fused linear cross-entropy, written with Keras operations for any backend.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

CHUNK_TOKENS = 1024


def summed_loss(hidden: Any, embedding: Any, targets: Any, weights: Any) -> tuple[Any, Any]:
    """The weighted sum of the tokens' losses, with gradients for `hidden` and `embedding`.

    Args:
        hidden: float [N, D], the last hidden state of each supervised token; N is a multiple of the chunk or below it.
        embedding: float [V, D]; logits are ``hidden @ embedding.T``.
        targets: int32 [N].
        weights: float32 [N]; what each token's loss counts, 0 for a slot that is not used.

    Returns:
        float32 [], the sum of weight times negative log-likelihood (nats); and float32 [N, 2], the scores of
        :func:`token_scores`, which carry no gradient.
    """

    size, count = _chunks(targets)

    @ops.custom_gradient
    def with_gradient(hidden: Any, embedding: Any) -> Any:
        def step(index: Any, state: Any) -> Any:
            scores, d_hidden, d_embedding = state
            # Adds 0, but only once the chunk before is done: TensorFlow would start ten at a time, logits and all.
            at = index * size + ops.cast(d_embedding[0, 0] > float("inf"), "int32")
            h, t, w = _take(hidden, at, size), _take(targets, at, size), _take(weights, at, size)
            chunk_scores, exponentials, total = _score(h, embedding, t)
            # d loss / d logits is softmax less one-hot, times the token's weight.
            d_logits = exponentials * (w / total)[:, None]  # [C, V]
            at_target = ops.stack([ops.arange(size, dtype="int32"), t], axis=-1)
            likelihood = ops.exp(-chunk_scores[:, 0])
            d_logits = ops.cast(ops.scatter_update(d_logits, at_target, (likelihood - 1.0) * w), h.dtype)
            return (
                ops.slice_update(scores, (at, 0), chunk_scores),
                ops.slice_update(d_hidden, (at, 0), ops.matmul(d_logits, embedding)),
                d_embedding + ops.cast(ops.matmul(ops.transpose(d_logits), h), "float32"),
            )

        start = (_empty_scores(targets), ops.zeros_like(hidden), ops.zeros(ops.shape(embedding), "float32"))
        scores, d_hidden, d_embedding = ops.fori_loop(0, count, step, start)

        def gradient(*arguments: Any, upstream: Any = None) -> Any:
            # TensorFlow gives one argument per output, JAX one that holds them all.
            scale = keras.tree.flatten(arguments if upstream is None else upstream)[0]
            return d_hidden * ops.cast(scale, d_hidden.dtype), ops.cast(d_embedding * scale, embedding.dtype)

        return (ops.sum(scores[:, 0] * weights), scores), gradient

    return with_gradient(hidden, embedding)


def token_scores(hidden: Any, embedding: Any, targets: Any) -> Any:
    """How each target fared, without gradients.

    Arguments are those of :func:`summed_loss`.

    Returns:
        float32 [N, 2]: the negative log-likelihood in nats, and 1 where the target was the likeliest token.
    """
    size, count = _chunks(targets)

    def step(index: Any, scores: Any) -> Any:
        at = index * size
        chunk_scores = _score(_take(hidden, at, size), embedding, _take(targets, at, size))[0]
        return ops.slice_update(scores, (at, 0), chunk_scores)

    return ops.fori_loop(0, count, step, _empty_scores(targets))


def _score(hidden: Any, embedding: Any, targets: Any) -> tuple[Any, Any, Any]:
    """Scores float32 [C, 2]; exponentials float32 [C, V] of the logits less their largest, and their sums float32 [C].

    A hit is told by the largest logit, which is needed anyway: argmax over a vocabulary is slow on CPU.
    """
    logits = ops.cast(ops.matmul(hidden, ops.transpose(embedding)), "float32")
    largest = ops.max(logits, axis=-1)
    chosen = ops.take_along_axis(logits, targets[:, None], axis=-1)[:, 0]
    exponentials = ops.exp(logits - largest[:, None])
    total = ops.sum(exponentials, axis=-1)
    loss = largest + ops.log(total) - chosen
    return ops.stack([loss, ops.cast(chosen >= largest, "float32")], axis=-1), exponentials, total


def _chunks(targets: Any) -> tuple[Any, Any]:
    """Tokens per chunk, and how many chunks there are."""
    count = ops.shape(targets)[0]
    size = min(count, CHUNK_TOKENS) if isinstance(count, int) else ops.minimum(count, CHUNK_TOKENS)
    return size, count // size


def _take(array: Any, at: Any, size: Any) -> Any:
    """Rows `at` to `at` + `size` of [N] or [N, D]."""
    rest = array.shape[1:]
    return ops.slice(array, (at, *(0 for _ in rest)), (size, *rest))


def _empty_scores(targets: Any) -> Any:
    return ops.zeros((ops.shape(targets)[0], 2), "float32")


class SupervisedLoss(keras.layers.Layer):
    """Adds the loss of a batch to the model while training; gives each supervised token's scores.

    Args:
        token_embedding: the backbone's, tied: it also makes the logits.
    """

    def __init__(self, token_embedding: keras.layers.Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.token_embedding = token_embedding

    def call(self, hidden: Any, supervised: Any, targets: Any, weights: Any, training: bool = False) -> Any:
        """float [B, T, D] hidden states and int32 [N] indices into B x T → float32 [N, 2] scores."""
        flat = ops.reshape(hidden, (-1, hidden.shape[-1]))
        chosen = ops.take(flat, supervised, axis=0)  # [N, D]
        embedding = ops.cast(ops.convert_to_tensor(self.token_embedding.embeddings), chosen.dtype)
        if not training:
            return token_scores(chosen, embedding, targets)
        loss, scores = summed_loss(chosen, embedding, targets, weights)
        self.add_loss(loss)
        return scores

    def compute_output_spec(self, hidden: Any, supervised: Any, *_: Any, **__: Any) -> Any:
        # Said here, because JAX cannot trace `call` for a number of slots that is not known yet.
        return keras.KerasTensor((*supervised.shape, 2), "float32")


def token_accuracy() -> keras.metrics.Metric:
    """The weighted share of supervised tokens that were the likeliest, from the model's scores."""
    return keras.metrics.MeanMetricWrapper(lambda _, scores: scores[:, 1], name="token_accuracy")
