"""Scores of given responses inside a TensorFlow graph: the mathematics of evaluation.

The measure is training's: the mean negative log-likelihood of the response and its end token, given the prompt.
Rows give sums and counts, not means, so that a mean over rows can be weighted by tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf

from modules.models import losses
from modules.models.families import family_of
from modules.prompts import ALPACA
from modules.prompts.format import PromptFormat, escape_end_tokens_tensor

if TYPE_CHECKING:
    from modules.serving.generation import TextGenerator

# Rows that go through the model together, taken in the order of their lengths: little of a chunk is padding.
CHUNK_ROWS = 16


class Scores(NamedTuple):
    """Per row; float32 [B] each, so that whoever sums them may do so in any width.

    Attributes:
        negative_log_likelihood: of the response and its end token, in nats.
        tokens: how many targets that are; 0 for a response that does not fit into the context.
        correct_tokens: targets that the model finds likeliest.
        response_bytes: length of the response in UTF-8.
    """

    negative_log_likelihood: Any
    tokens: Any
    correct_tokens: Any
    response_bytes: Any


class ResponseScorer(tf.Module):
    """Scores responses with a generator's model and tokenizer.

    Args:
        generator: its backbone, tokenizer and end token are shared, not copied.
        prompt_format: how prompts are made, as in training.
    """

    def __init__(self, generator: TextGenerator, prompt_format: PromptFormat = ALPACA) -> None:
        super().__init__(name="response_scorer")
        self.prompt_format = prompt_format
        self.backbone = generator.backbone
        self.tokenize = generator.tokenize
        self.end_token_id = generator.end_token_id

    def score(self, instruction: tf.Tensor, input_text: tf.Tensor, output: tf.Tensor) -> Scores:
        """Scores the raw features of rows, formatted as for training.

        A prompt that leaves no room for its response in the context keeps its last tokens; a response that
        leaves no room for one token of its prompt is not scored. A document, whose prompt is empty, follows the end
        token and is scored whole, one context after the other, as it is cut for training.

        Args:
            instruction: string, any shape of B elements.
            input_text: string, likewise.
            output: string, likewise: the response to score.
        """
        instruction, input_text, output = (tf.reshape(text, [-1]) for text in (instruction, input_text, output))
        response = escape_end_tokens_tensor(output)
        tokens, prompt_lengths = self._tokens(self.prompt_format.format_tensors(instruction, input_text), response)
        pieces, prompt_lengths, row = self._cut(tokens, prompt_lengths)
        scored = self._sums(pieces, prompt_lengths)  # [P, 3]
        scored = tf.math.unsorted_segment_sum(scored, row, num_segments=tf.shape(output)[0])  # [B, 3]
        size = tf.where(scored[:, 1] > 0, tf.strings.length(response), 0)
        return Scores(scored[:, 0], scored[:, 1], scored[:, 2], tf.cast(size, tf.float32))

    def _tokens(self, prompts: tf.Tensor, responses: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor]:
        """Returns int32 [B, (tokens)] of prompt, response and end token, and int32 [B], the tokens of each prompt.

        Rows whose response does not fit are empty.
        """
        context = self.backbone.max_sequence_length
        rows = tf.shape(prompts)[0]
        ids = self.tokenize(tf.concat([prompts, responses], axis=0))
        prompt, response = ids[:rows], ids[rows:]
        end = tf.fill([rows, 1], self.end_token_id)
        response = tf.concat([response, end], axis=1)
        # The last token is only a target, so a row may have one more than the context.
        room = context + 1 - tf.cast(response.row_lengths(), tf.int32)  # [B]
        document = tf.equal(prompt.row_lengths(), 0)  # [B]
        prompt = tf.concat([tf.ragged.boolean_mask(end, document[:, None]), prompt], axis=1)
        room = tf.where(document, 1, room)
        kept = tf.clip_by_value(tf.cast(prompt.row_lengths(), tf.int32), 0, tf.maximum(room, 0))
        fits = kept > 0
        # Of a reversed prompt, the first tokens.
        backwards = prompt[:, ::-1]
        backwards = tf.ragged.boolean_mask(backwards, _positions(backwards) < _per_token(kept, backwards))
        both = tf.concat([backwards[:, ::-1], response], axis=1)
        both = tf.ragged.boolean_mask(both, _per_token(tf.cast(fits, tf.int32), both) > 0)
        return both, tf.where(fits, kept, 0)

    def _cut(self, tokens: tf.RaggedTensor, prompt_lengths: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor, tf.Tensor]:
        """Rows as pieces that fit into the context; each begins with the token that the one before ended with.

        Returns:
            The pieces int32 [P, (tokens)], their prompts' lengths int32 [P], and the row of each int32 [P].
        """
        context = self.backbone.max_sequence_length
        inputs = tf.maximum(tokens.row_lengths() - 1, 0)  # int64 [B]
        count = -(-inputs // context)
        row = tf.repeat(tf.range(tf.shape(count)[0]), count)  # [P]
        before = tf.ragged.range(count).flat_values * context  # [P], tokens of the row in earlier pieces
        starts = tf.gather(tokens.row_starts(), row) + before
        limits = tf.minimum(starts + context + 1, tf.gather(tokens.row_limits(), row))
        pieces = tf.gather(tokens.flat_values, tf.ragged.range(starts, limits))
        return pieces, tf.maximum(tf.gather(prompt_lengths, row) - tf.cast(before, tf.int32), 1), row

    def _sums(self, tokens: tf.RaggedTensor, prompt_lengths: tf.Tensor) -> tf.Tensor:
        """Returns float32 [B, 3]: negative log-likelihood, targets and hits of each row."""
        lengths = tokens.row_lengths()  # int64 [B]
        order = tf.argsort(lengths, stable=True)
        rows = tf.shape(order)[0]
        chunks = tf.maximum(-(-rows // CHUNK_ROWS), 1)
        sums = tf.TensorArray(tf.float32, size=chunks, element_shape=[None, 3], infer_shape=False)

        def advance(index: tf.Tensor, sums: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            chosen = order[index * CHUNK_ROWS : (index + 1) * CHUNK_ROWS]
            scored = self._chunk_sums(tf.gather(tokens, chosen), tf.gather(prompt_lengths, chosen))
            return index + 1, sums.write(index, scored)

        _, sums = tf.while_loop(lambda index, _: index < chunks, advance, (tf.constant(0), sums), parallel_iterations=1)
        return tf.gather(tf.reshape(sums.concat(), [-1, 3]), tf.argsort(order, stable=True))

    def _chunk_sums(self, tokens: tf.RaggedTensor, prompt_lengths: tf.Tensor) -> tf.Tensor:
        """As :meth:`_sums`, for rows that go through the model together: float32 [R, 3]."""
        dense = tokens.to_tensor(0)  # [R, T + 1]
        dense = tf.pad(dense, [[0, 0], [0, tf.maximum(2 - tf.shape(dense)[1], 0)]])
        inputs, targets = dense[:, :-1], dense[:, 1:]  # [R, T]
        position = tf.range(tf.shape(inputs)[1])[None, :]
        lengths = tf.cast(tokens.row_lengths(), tf.int32)[:, None]
        # The target at position i is token i + 1: the first one of the response is at the prompt's last position.
        supervised = (position >= prompt_lengths[:, None] - 1) & (position < lengths - 1)
        # Padding is on the right, where causal attention never looks from before.
        hidden = family_of(self.backbone).hidden_states(self.backbone, inputs, training=False)  # [R, T, D]
        row = tf.where(supervised)[:, 0]  # [S]
        scores = self._token_scores(tf.boolean_mask(hidden, supervised), tf.boolean_mask(targets, supervised))
        scores = tf.stack([scores[:, 0], tf.ones_like(scores[:, 0]), scores[:, 1]], axis=1)
        return tf.math.unsorted_segment_sum(scores, row, num_segments=tf.shape(inputs)[0])

    def _token_scores(self, hidden: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """[S, D] and int32 [S] → float32 [S, 2]: negative log-likelihood, and 1 where the target is likeliest."""
        count = tf.shape(targets)[0]
        chunk = tf.clip_by_value(count, 1, losses.CHUNK_TOKENS)
        missing = -count % chunk + tf.cast(tf.equal(count, 0), tf.int32)
        hidden, targets = tf.pad(hidden, [[0, missing], [0, 0]]), tf.pad(targets, [[0, missing]])
        embedding = tf.convert_to_tensor(self.backbone.token_embedding.embeddings)
        return losses.token_scores(hidden, embedding, targets)[:count]


def _positions(ragged: tf.RaggedTensor) -> tf.RaggedTensor:
    """int32 [B, (tokens)]: each token's place in its row."""
    return ragged.with_flat_values(tf.cast(tf.ragged.range(ragged.row_lengths()).flat_values, tf.int32))


def _per_token(values: tf.Tensor, ragged: tf.RaggedTensor) -> tf.RaggedTensor:
    """int32 [B] → int32 [B, (tokens)]: each row's value at all its tokens."""
    return ragged.with_flat_values(tf.gather(values, ragged.value_rowids()))
