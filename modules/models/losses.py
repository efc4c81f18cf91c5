"""Cross-entropy over the supervised tokens alone, a chunk of them at a time.

The logits of a batch, [batch, length, 50,257], would be the largest array of the whole step by far. Here they exist for
one chunk of supervised tokens at a time: the gradient of a chunk is taken while its logits are at hand, so nothing of
their size outlives the chunk and nothing is computed twice. The idea is that of Cut Cross-Entropy (Wijmans et al.,
2024) and Liger Kernel's fused linear cross-entropy, written with Keras operations for any backend.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import ops

# Logits that exist at once. On a processor a small chunk costs no time, on an accelerator it would.
PROCESSOR_LOGITS = 2**24
ACCELERATOR_LOGITS = 2**27
CHUNK_MULTIPLE = 64
CHUNK_TOKENS = 1024  # what modules.serving.scoring gives at once


def chunk_tokens(vocabulary: int) -> int:
    """Returns for how many tokens to hold the logits at once, on the devices at hand."""
    on_accelerator = any(not device.startswith("cpu") for device in keras.distribution.list_devices())
    logits = ACCELERATOR_LOGITS if on_accelerator else PROCESSOR_LOGITS
    return max(logits // vocabulary // CHUNK_MULTIPLE, 1) * CHUNK_MULTIPLE


def summed_loss(
    hidden: Any, embedding: Any, targets: Any, weights: Any, *, embedding_learns: bool = True
) -> tuple[Any, Any]:
    """Returns the weighted sum of the tokens' losses, with gradients for `hidden` and `embedding`.

    Args:
        hidden: float [N, D], the last hidden state of each supervised token.
        embedding: float [V, D]; logits are ``hidden @ embedding.T``.
        targets: int32 [N].
        weights: float32 [N]; what each token's loss counts, 0 for a slot that is not used; those come last, and are
            left out chunk by chunk.
        embedding_learns: whether `embedding` gets its gradient; without, it gets zeros, which costs a third less.

    Returns:
        float32 [], the sum of weight times negative log-likelihood (nats); and float32 [N, 2], the scores of
        :func:`token_scores`, which carry no gradient.
    """
    # Gradients are taken for weights up to 1 and scaled at the end: in float16 they would vanish.
    wide = _loss_dtype(hidden)
    weights = ops.cast(weights, wide)
    unit = ops.maximum(ops.max(weights), 1e-30)
    shares = weights / unit  # [N]

    @ops.custom_gradient
    def with_gradient(hidden: Any, embedding: Any) -> Any:
        chunks = _Chunks(hidden, embedding, targets, shares, embedding_learns)
        scores, d_hidden, d_embedding = chunks.run(used=_used(weights))

        def gradient(*arguments: Any, upstream: Any = None) -> Any:
            # TensorFlow gives one argument per output, JAX one that holds them all.
            scale = keras.tree.flatten(arguments if upstream is None else upstream)[0]
            by_token = ops.cast(d_hidden, wide) * (weights * scale)[:, None]
            by_row = d_embedding * (unit * scale) if embedding_learns else ops.zeros_like(embedding)
            return ops.cast(by_token, d_hidden.dtype), ops.cast(by_row, embedding.dtype)

        return (ops.sum(scores[:, 0] * weights), scores), gradient

    return with_gradient(hidden, embedding)


class _Chunks(NamedTuple):
    """The loss of supervised tokens with its gradients, a chunk of them at a time.

    Attributes:
        hidden: float [N, D].
        embedding: float [V, D].
        targets: int32 [N].
        shares: float [N], what each token's loss counts, at most 1.
        embedding_learns: whether `embedding` gets a gradient.
    """

    hidden: Any
    embedding: Any
    targets: Any
    shares: Any
    embedding_learns: bool

    def run(self, *, used: Any) -> tuple[Any, Any, Any]:
        """Returns scores [N, 2], and the gradients for `hidden` and `embedding`, of the first `used` tokens."""
        size = _chunk_size(self.targets, self.embedding)

        def step(index: Any, state: Any) -> Any:
            scores, d_hidden, d_embedding = state
            # Not before the chunk before is done: TensorFlow would start ten at a time, logits and all.
            start = index * size + _zero_after(d_embedding if self.embedding_learns else d_hidden)
            scores, d_hidden, addition = self.chunk(start, size, scores, d_hidden)
            return scores, d_hidden, d_embedding + addition

        # The first by itself: where there is no other, nothing is added up.
        state = self.chunk(0, size, _empty_scores(self.hidden), ops.zeros_like(self.hidden))
        gradients: tuple[Any, Any, Any] = _repeat(step, state, used, size, ops.shape(self.targets)[0])
        return gradients

    def chunk(self, start: Any, size: Any, scores: Any, d_hidden: Any) -> tuple[Any, Any, Any]:
        """Returns `scores` and `d_hidden` with a chunk's in them, and its part of the embedding's gradient."""
        at = ops.minimum(start, ops.shape(self.targets)[0] - size)  # the last chunk may begin inside the one before
        h, t, share = (_take(array, at, size) for array in (self.hidden, self.targets, self.shares))
        chunk_scores, exponentials, total = _score(h, self.embedding, t)
        # d loss / d logits is softmax less one-hot.
        d_logits = exponentials / total[:, None]  # [C, V]
        places = ops.arange(size, dtype="int32")
        likelihood = ops.exp(-chunk_scores[:, 0])
        d_logits = ops.scatter_update(d_logits, ops.stack([places, t], axis=-1), likelihood - 1.0)
        d_logits = ops.cast(d_logits, h.dtype)
        d_embedding = ops.zeros((1, 1), _loss_dtype(self.hidden))
        if self.embedding_learns:
            counted = ops.cast(ops.where(at + places >= start, share, 0.0), h.dtype)
            d_embedding = ops.cast(ops.einsum("nv,nd->vd", d_logits, h * counted[:, None]), _loss_dtype(self.hidden))
        return (
            ops.slice_update(scores, (at, 0), chunk_scores),
            ops.slice_update(d_hidden, (at, 0), ops.matmul(d_logits, self.embedding)),
            d_embedding,
        )


def token_scores(hidden: Any, embedding: Any, targets: Any) -> Any:
    """Returns the scores of each target, without gradients.

    Arguments are those of :func:`summed_loss`.

    Returns:
        float32 [N, 2]: the negative log-likelihood in nats, and 1 where the target was the likeliest token.
    """
    size, tokens = _chunk_size(targets, embedding), ops.shape(targets)[0]

    def chunk(start: Any, scores: Any) -> Any:
        at = ops.minimum(start, tokens - size)
        chunk_scores = _score(_take(hidden, at, size), embedding, _take(targets, at, size))[0]
        return ops.slice_update(scores, (at, 0), chunk_scores)

    def step(index: Any, state: Any) -> Any:
        (scores,) = state
        return (chunk(index * size + _zero_after(scores), scores),)

    return _repeat(step, (chunk(0, _empty_scores(hidden)),), tokens, size, tokens)[0]


def _score(hidden: Any, embedding: Any, targets: Any) -> tuple[Any, Any, Any]:
    """Scores [C, 2]; exponentials [C, V] of the logits less their largest, and their sums [C]; in :func:`_loss_dtype`.

    A hit is told by the largest logit, which is needed anyway: argmax over a vocabulary is slow on CPU.
    """
    wide = _loss_dtype(hidden)
    logits = ops.cast(ops.einsum("nd,vd->nv", hidden, embedding), wide)  # transposes nothing in memory
    chosen = ops.take_along_axis(logits, targets[:, None], axis=-1)[:, 0]
    # At least as large as the chosen one anyway: after both, the logits' memory is free for what follows.
    largest = ops.maximum(ops.max(logits, axis=-1), chosen)
    exponentials = ops.exp(logits - largest[:, None])
    total = ops.sum(exponentials, axis=-1)
    loss = largest + ops.log(total) - chosen
    return ops.stack([loss, ops.cast(chosen >= largest, wide)], axis=-1), exponentials, total


def _chunk_size(targets: Any, embedding: Any) -> Any:
    """Tokens per chunk: a number, or a tensor where the number of tokens is one."""
    tokens, most = ops.shape(targets)[0], chunk_tokens(embedding.shape[0])
    return min(tokens, most) if isinstance(tokens, int) else ops.minimum(tokens, most)


def _repeat(step: Any, state: Any, used: Any, size: Any, tokens: Any) -> Any:
    """Takes the steps of the chunks after the first that have a token in use."""
    if isinstance(size, int) and size == tokens:
        return state
    return ops.fori_loop(1, (used + size - 1) // size, step, state)


def _zero_after(array: Any) -> Any:
    """int32 [], always 0, but only once `array` is there."""
    return ops.cast(array[0, 0] == float("-inf"), "int32")


def _used(weights: Any) -> Any:
    """int32 []: how many slots are used."""
    return ops.sum(ops.cast(weights > 0, "int32"))


def _take(array: Any, at: Any, size: Any) -> Any:
    """Rows `at` to `at` + `size` of [N] or [N, D]."""
    rest = array.shape[1:]
    return ops.slice(array, (at, *(0 for _ in rest)), (size, *rest))


def _empty_scores(hidden: Any) -> Any:
    return ops.zeros((ops.shape(hidden)[0], 2), _loss_dtype(hidden))


def _loss_dtype(hidden: Any) -> str:
    """Returns the type that losses are computed in: float32 at least, float64 for a model that is."""
    return str(keras.backend.result_type(hidden.dtype, "float32"))


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
        learns = bool(self.token_embedding.trainable_variables)
        loss, scores = summed_loss(chosen, embedding, targets, weights, embedding_learns=learns)
        self.add_loss(loss)
        return scores

    def compute_output_spec(self, hidden: Any, supervised: Any, *_: Any, **__: Any) -> Any:
        # Said here, because JAX cannot trace `call` for a number of slots that is not known yet.
        return keras.KerasTensor((*supervised.shape, 2), _loss_dtype(hidden))
