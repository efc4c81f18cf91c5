"""Text generation inside a TensorFlow graph: prompts in, responses out, with a key/value cache.

Prompts of one batch are padded on the left, so that every row writes its cache at one common index; positions
count from each prompt's first real token. The caches travel through the loop per layer, which spares
KerasHub's re-stacking of the whole cache at each token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf

from modules.models.families import family_of
from modules.models.gpt2.tokenizer import end_token_id

if TYPE_CHECKING:
    from keras_hub.models import Backbone
    from tokenizers import Tokenizer


class Decoding(NamedTuple):
    """Settings by which the next token is chosen; scalars.

    Attributes:
        max_new_tokens: int32, at least 1; the context less one at most.
        temperature: float32; 0 takes the likeliest token.
        top_k: int32; keeps the k likeliest, 0 keeps all.
        top_p: float32; keeps the likeliest whose probabilities reach p, 1 keeps all.
        seed: int32; the same seed gives the same response.
    """

    max_new_tokens: Any
    temperature: Any
    top_k: Any
    top_p: Any
    seed: Any


class _State(NamedTuple):
    step: tf.Tensor  # int32 []
    token: tf.Tensor  # int32 [B], the token to feed next
    done: tf.Tensor  # bool [B]
    caches: tuple[tf.Tensor, ...]  # per layer, float [B, 2, L, heads, head_dim]
    output: tf.TensorArray  # int32 [B] per step


class TextGenerator(tf.Module):
    """Generates responses with a GPT-2 backbone and its tokenizer.

    Args:
        backbone: the model.
        tokenizer: the tokenizer that it was trained with.
    """

    def __init__(self, backbone: Backbone, tokenizer: Tokenizer) -> None:
        super().__init__(name="text_generator")
        self.backbone = backbone
        self.family = family_of(backbone)
        self.tokenizer = self.family.graph_tokenizer(tokenizer)
        self.end_token_id = end_token_id(tokenizer)
        # A function of its own, traced once and called by all signatures: it is most of their operations.
        self.tokenize = tf.function(
            self.tokenizer.tokenize, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
        )

    def generate(self, prompts: tf.Tensor, decoding: Decoding) -> tf.Tensor:
        """Responses up to, and without, the end token.

        A prompt that leaves no room for `max_new_tokens` in the context keeps its last tokens.

        Args:
            prompts: string [B].
            decoding: see :class:`Decoding`.

        Returns:
            string [B].
        """
        limit = tf.clip_by_value(decoding.max_new_tokens, 1, self.backbone.max_sequence_length - 1)
        decoding = decoding._replace(max_new_tokens=limit)
        tokens, mask = self._left_padded(prompts, self.backbone.max_sequence_length - limit)
        ids = self._decode(tokens, mask, decoding)  # [B, steps]
        ended = tf.cumsum(tf.cast(tf.equal(ids, self.end_token_id), tf.int32), axis=-1) > 0
        return self.tokenizer.detokenize(tf.ragged.boolean_mask(ids, ~ended))

    def _left_padded(self, prompts: tf.Tensor, room: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns int32 [B, P] token ids and bool [B, P], true where a token is real."""
        ragged = self.tokenize(prompts)[:, -room:]
        # An empty prompt still needs one token to predict from.
        start = tf.fill([tf.shape(prompts)[0], 1], self.end_token_id)
        empty = tf.equal(ragged.row_lengths(), 0)
        ragged = tf.concat([tf.ragged.boolean_mask(start, empty[:, None]), ragged], axis=1)
        real = tf.reverse(tf.ones_like(ragged).to_tensor(0), axis=[1])
        return tf.reverse(ragged[:, ::-1].to_tensor(0), axis=[1]), tf.cast(real, tf.bool)

    def _decode(self, tokens: tf.Tensor, mask: tf.Tensor, decoding: Decoding) -> tf.Tensor:
        """Returns int32 [B, steps]: the new tokens, filled with the end token once a row has ended."""
        batch, prompt_length = tf.unstack(tf.shape(tokens))
        logits, caches = self._prefill(tokens, mask, decoding.max_new_tokens)
        output = tf.TensorArray(tf.int32, size=0, dynamic_size=True, element_shape=[None])
        first = self._choose(logits, decoding, step=tf.constant(0))
        state = _State(tf.constant(0), first, tf.fill([batch], False), caches, output)
        lengths = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)  # [B]
        padded_mask = tf.pad(mask, [[0, 0], [0, decoding.max_new_tokens]], constant_values=True)

        def running(state: _State) -> tf.Tensor:
            return (state.step < decoding.max_new_tokens) & ~tf.reduce_all(state.done)

        def advance(state: _State) -> tuple[_State]:
            token = tf.where(state.done, self.end_token_id, state.token)
            output = state.output.write(state.step, token)
            done = state.done | tf.equal(token, self.end_token_id)
            index = prompt_length + state.step
            visible = padded_mask & (tf.range(tf.shape(padded_mask)[1]) <= index)[None, :]  # [B, L]
            positions = (lengths + state.step)[:, None]
            logits, caches = self._forward(token[:, None], positions, visible[:, None, :], state.caches, index)
            following = self._choose(logits, decoding, step=state.step + 1)
            return (_State(state.step + 1, following, done, caches, output),)

        (final,) = tf.while_loop(running, advance, (state,))
        return tf.transpose(final.output.stack())

    def _prefill(
        self, tokens: tf.Tensor, mask: tf.Tensor, max_new_tokens: tf.Tensor
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Runs the prompts; logits [B, V] after the last token, and the filled caches."""
        batch, prompt_length = tf.unstack(tf.shape(tokens))
        total = prompt_length + max_new_tokens
        caches = self.family.empty_caches(self.backbone, rows=batch, length=total)
        positions = tf.maximum(tf.cumsum(tf.cast(mask, tf.int32), axis=1) - 1, 0)
        causal = tf.range(prompt_length)[:, None] >= tf.range(total)[None, :]  # [P, L]
        padded = tf.pad(mask, [[0, 0], [0, max_new_tokens]])
        return self._forward(tokens, positions, causal[None] & padded[:, None, :], caches, tf.constant(0))

    def _forward(
        self,
        tokens: tf.Tensor,
        positions: tf.Tensor,
        attention_mask: tf.Tensor,
        caches: tuple[tf.Tensor, ...],
        index: tf.Tensor,
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Computes one pass over Q new tokens, written to the caches from `index` on.

        Args:
            tokens: int32 [B, Q].
            positions: int32 [B, Q].
            attention_mask: bool [B, Q, L].
            caches: per layer, float [B, 2, L, heads, head_dim].
            index: int32 [].

        Returns:
            float32 [B, V], the logits after the last token, and the caches.
        """
        hidden, written = self.family.cached_hidden_states(
            self.backbone, tokens, positions, attention_mask, caches, index
        )
        logits = self.backbone.token_embedding(hidden[:, -1, :], reverse=True)  # [B, V]
        return tf.cast(logits, tf.float32), tuple(written)

    def _choose(self, logits: tf.Tensor, decoding: Decoding, *, step: tf.Tensor) -> tf.Tensor:
        """Returns the next token of each row: float32 [B, V] → int32 [B]."""
        greedy = tf.argmax(logits, axis=-1, output_type=tf.int32)

        def sample() -> tf.Tensor:
            kept = filter_logits(logits / decoding.temperature, top_k=decoding.top_k, top_p=decoding.top_p)
            seed = tf.stack([decoding.seed, step])
            return tf.random.stateless_categorical(kept, 1, seed=seed, dtype=tf.int32)[:, 0]

        return tf.cond(decoding.temperature > 0, sample, lambda: greedy)


def filter_logits(logits: tf.Tensor, *, top_k: tf.Tensor, top_p: tf.Tensor) -> tf.Tensor:
    """Logits with the unlikely tokens at -inf, as Holtzman et al. 2020 (nucleus) and Fan et al. 2018 (top-k)
    define them.

    Args:
        logits: float32 [B, V], already divided by the temperature.
        top_k: int32 []; 0 keeps all.
        top_p: float32 []; the likeliest token always stays.

    Returns:
        float32 [B, V].
    """
    vocabulary = tf.shape(logits)[-1]
    ordered = tf.sort(logits, direction="DESCENDING", axis=-1)
    kept_count = tf.where(top_k > 0, tf.minimum(top_k, vocabulary), vocabulary)
    in_top_k = tf.range(vocabulary) < kept_count
    ordered = tf.where(in_top_k, ordered, -float("inf"))
    probabilities = tf.nn.softmax(ordered, axis=-1)
    before = tf.cumsum(probabilities, axis=-1, exclusive=True)
    kept = (before < top_p) & in_top_k
    smallest = tf.reduce_min(tf.where(kept, ordered, float("inf")), axis=-1, keepdims=True)
    smallest = tf.minimum(smallest, ordered[:, :1])
    return tf.where(logits >= smallest, logits, -float("inf"))
