"""Sample answers of the model as it is trained: greedy, without a cache, on any Keras backend.

A response of n tokens takes n passes over the whole prompts: right for a glance now and then, not for serving.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from modules.models.gpt2.tokenizer import end_token_id
from modules.training.callbacks.base import TrainingCallback
from modules.training.packing import round_up

if TYPE_CHECKING:
    from keras_hub.models import Backbone
    from tokenizers import Tokenizer

logger = logging.getLogger(__name__)

LENGTH_MULTIPLE = 32


class NextToken(keras.layers.Layer):
    """The likeliest token after one position of each row.

    Args:
        token_embedding: the backbone's, which also makes the logits.
    """

    def __init__(self, token_embedding: keras.layers.Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.token_embedding = token_embedding

    def call(self, hidden: Any, last: Any) -> Any:
        """Returns int32 [B] for float [B, T, D] and int32 [B]."""
        chosen = ops.take_along_axis(hidden, last[:, None, None], axis=1)[:, 0]  # [B, D]
        return ops.cast(ops.argmax(self.token_embedding(chosen, reverse=True), axis=-1), "int32")


class Sampler:
    """Answers the same prompts whenever it is asked.

    Args:
        backbone: in training.
        tokenizer: its tokenizer.
        prompts: one that leaves no room for an answer in the context loses its start.
        max_new_tokens: longest answer, in tokens.
    """

    def __init__(
        self, backbone: Backbone, tokenizer: Tokenizer, prompts: Sequence[str], *, max_new_tokens: int
    ) -> None:
        self.tokenizer = tokenizer
        self.prompts = list(prompts)
        self.end_token_id = end_token_id(tokenizer)
        self.max_new_tokens = min(max_new_tokens, backbone.max_sequence_length - 1)
        room = backbone.max_sequence_length - self.max_new_tokens
        encoded = tokenizer.encode_batch(self.prompts, add_special_tokens=False)
        self.token_ids = [(encoding.ids or [self.end_token_id])[-room:] for encoding in encoded]
        last = keras.Input((), dtype="int32", name="last")
        hidden = backbone.output  # [B, T, D]
        following = NextToken(backbone.token_embedding, dtype=backbone.dtype_policy)(hidden, last)
        self.model = keras.Model(backbone.input | {"last": last}, following, name="sampler")
        self.context = backbone.max_sequence_length

    def __call__(self) -> list[tuple[str, str]]:
        """Prompts and responses."""
        lengths = np.array([len(ids) for ids in self.token_ids])
        width = min(round_up(int(lengths.max()) + self.max_new_tokens, LENGTH_MULTIPLE), self.context)
        tokens = np.zeros((round_up(len(lengths), _devices()), width), np.int32)  # [B, T]
        last = np.zeros(len(tokens), np.int32)
        for row, ids in zip(tokens, self.token_ids, strict=False):
            row[: len(ids)] = ids
        ended, rows = np.zeros(len(lengths), bool), np.arange(len(lengths))
        first = lengths.copy()
        while not ended.all() and int((lengths - first).max()) < self.max_new_tokens:
            # Causal: what comes after the last token is not seen.
            last[: len(lengths)] = lengths - 1
            inputs = {"token_ids": tokens, "padding_mask": np.ones_like(tokens), "last": last}
            following = self.model.predict_on_batch(inputs)[: len(lengths)]
            ended |= following == self.end_token_id
            tokens[rows[~ended], lengths[~ended]] = following[~ended]
            lengths[~ended] += 1
        answers = [row[start:end].tolist() for row, start, end in zip(tokens, first, lengths, strict=False)]
        return list(zip(self.prompts, self.tokenizer.decode_batch(answers), strict=True))


def _devices() -> int:
    """Returns what the rows of a batch must be a multiple of."""
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else int(np.prod(distribution.device_mesh.shape))


class SampleLog(TrainingCallback):
    """Answers the sampler's prompts now and then: to the log, and to `write`.

    Args:
        sampler: what to ask.
        every_steps: optimizer steps between two looks.
        write: takes the step, and prompts with responses.
    """

    def __init__(
        self, sampler: Sampler, *, every_steps: int, write: Callable[[int, Sequence[tuple[str, str]]], None]
    ) -> None:
        super().__init__()
        self.sampler = sampler
        self.every_steps = every_steps
        self.write = write

    def is_due(self, step: int) -> bool:
        return step % self.every_steps == 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        samples = self.sampler()
        for prompt, response in samples:
            logger.info("Sample at step %d: %r → %r", batch + 1, prompt, response)
        self.write(batch + 1, samples)
