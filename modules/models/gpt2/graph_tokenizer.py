"""GPT-2's tokenizer inside a TensorFlow graph, equal to ``tokenizers`` byte for byte.

KerasHub 0.32 splits text as Llama 3 does (its in-graph form keeps ``\\n\\n`` whole, its eager form cuts numbers into
groups of three), which GPT-2 was not trained with: the blank line of every prompt would get another id. So the
splitting is our own; the merging of pieces, the tables and the way back are KerasHub's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf
import tensorflow_text as tf_text

from modules.models.gpt2.tokenizer import to_keras

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# RE2 knows only ASCII white space by itself; GPT-2's pattern means Unicode's.
SPACE = r"\t\n\x0b\f\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
# Unicode keeps this noncharacter for use inside a process; it is dropped from texts that hold it.
MARK = "\ufdd0"
# GPT-2's pattern (openai/gpt-2, src/encoder.py) ends in `\s+(?!\S)|\s+`: a run of white space before a word leaves its
# last character to the word. RE2 has no look-ahead, so the mark is put before that character first.
BEFORE_LAST_SPACE = rf"([{SPACE}]+)([{SPACE}])([^{SPACE}])"
PIECE = (
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+"
    rf"| ?[^{SPACE}\p{{L}}\p{{N}}\x{{fdd0}}]+|[{SPACE}]+|\x{{fdd0}}"
)


class GraphTokenizer(tf.Module):
    """Text to ids and back, as TensorFlow operations.

    Args:
        tokenizer: gives vocabulary and merges.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__(name="graph_tokenizer")
        self.keras_tokenizer = to_keras(tokenizer)
        self.keras_tokenizer._maybe_initialized_tf()

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """string [B] → int32 [B, (tokens)]; a literal end token is text like any other."""
        pieces = split(texts)
        flat = pieces.flat_values
        cache = self.keras_tokenizer.cache

        def merge_unseen() -> tf.Tensor:
            unseen = tf.boolean_mask(flat, tf.equal(cache.lookup(flat), ""))
            self.keras_tokenizer._bpe_merge_and_update_cache_tf(unseen)
            return cache.lookup(flat)

        known = cache.lookup(flat)  # tokens of each piece, separated by spaces; empty if not merged before
        merged = tf.cond(tf.reduce_any(tf.equal(known, "")), merge_unseen, lambda: known)
        tokens = tf.strings.split(merged, sep=" ")
        ids = tf.cast(self.keras_tokenizer.token_to_id_map.lookup(tokens.flat_values), tf.int32)
        return tf.RaggedTensor.from_row_splits(ids, tf.gather(tokens.row_splits, pieces.row_splits))

    def detokenize(self, ids: tf.RaggedTensor) -> tf.Tensor:
        """int32 [B, (tokens)] → string [B]."""
        return self.keras_tokenizer._detokenize_tf(ids)


def split(texts: tf.Tensor) -> tf.RaggedTensor:
    """Cuts texts where GPT-2 does, before any merging: string [B] → string [B, (pieces)]."""
    texts = tf.strings.regex_replace(texts, MARK, "")
    marked = tf.strings.regex_replace(texts, BEFORE_LAST_SPACE, rf"\1{MARK}\2\3")
    pieces = tf_text.regex_split(marked, PIECE, PIECE)
    return tf.ragged.boolean_mask(pieces, tf.not_equal(pieces, MARK))
