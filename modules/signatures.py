"""The SavedModel that serves: prompts or instructions in, responses out.

Signatures; the first two string [batch] → ``response`` string [batch]:

- ``serving_default(prompt, ...)``: the prompt is taken as it is;
- ``instruct(instruction, input, ...)``: formatted by :mod:`modules.prompts`, as in training;
- ``score(instruction, input, output)``: how likely the model finds `output`, as :class:`modules.scoring.Scores`.

The first two also take the scalars ``max_new_tokens``, ``temperature``, ``top_k``, ``top_p`` and ``seed``. All
have defaults, which are part of the SavedModel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from modules.generation import Decoding, TextGenerator
from modules.prompts import format_prompt_tensors
from modules.scoring import ResponseScorer

DEFAULT_SEED = 0


class ServingModule(tf.Module):
    """A generator with its signatures.

    Args:
        generator: what answers.
        defaults: ``max_new_tokens``, ``temperature``, ``top_k``, ``top_p`` for callers that leave them out.
    """

    def __init__(self, generator: TextGenerator, defaults: Mapping[str, Any]) -> None:
        super().__init__(name="serving")
        self.generator = generator
        self.scorer = ResponseScorer(generator)
        self.serve, self.instruct = _signatures(generator, defaults)
        self.score = _score_signature(self.scorer)

    def respond(self, prompts: Sequence[str]) -> list[str]:
        """Answers with the defaults; an incomplete UTF-8 sequence at the cut shows as U+FFFD."""
        responses = self.serve(tf.constant(list(prompts)))["response"].numpy()
        return [response.decode("utf-8", errors="replace") for response in responses]


def save_serving_model(module: ServingModule, folder: Path) -> None:
    """Writes the SavedModel; it needs only tensorflow and tensorflow_text to run. No optimizer is part of
    it."""
    signatures = {"serving_default": module.serve, "instruct": module.instruct, "score": module.score}
    tf.saved_model.save(module, str(folder), signatures=signatures)


def _signatures(generator: TextGenerator, defaults: Mapping[str, Any]) -> tuple[Any, Any]:
    text = tf.TensorSpec([None], tf.string)
    scalars = [tf.TensorSpec([], dtype) for dtype in (tf.int32, tf.float32, tf.int32, tf.float32, tf.int32)]
    length = tf.constant(defaults["max_new_tokens"], tf.int32)
    warmth = tf.constant(defaults["temperature"], tf.float32)
    k = tf.constant(defaults["top_k"], tf.int32)
    p = tf.constant(defaults["top_p"], tf.float32)
    fixed = tf.constant(DEFAULT_SEED, tf.int32)

    # One inner function, traced once and called by both. AutoGraph would only slow the tracing down: control
    # flow below is written with TensorFlow's own operations.
    @tf.function(input_signature=[text, *scalars], autograph=False)
    def generate(prompt: Any, *decoding: Any) -> tf.Tensor:
        return generator.generate(prompt, Decoding(*decoding))

    @tf.function(input_signature=[text, *scalars], autograph=False)
    def serve(
        prompt: Any,
        max_new_tokens: Any = length,
        temperature: Any = warmth,
        top_k: Any = k,
        top_p: Any = p,
        seed: Any = fixed,
    ) -> dict[str, tf.Tensor]:
        return {"response": generate(prompt, max_new_tokens, temperature, top_k, top_p, seed)}

    @tf.function(input_signature=[text, text, *scalars], autograph=False)
    def instruct(
        instruction: Any,
        input: Any,
        max_new_tokens: Any = length,
        temperature: Any = warmth,
        top_k: Any = k,
        top_p: Any = p,
        seed: Any = fixed,
    ) -> dict[str, tf.Tensor]:
        prompt = format_prompt_tensors(instruction, input)
        return {"response": generate(prompt, max_new_tokens, temperature, top_k, top_p, seed)}

    return serve, instruct


def _score_signature(scorer: ResponseScorer) -> Any:
    # Any shape: TFMA feeds [batch, 1], people feed [batch].
    text = tf.TensorSpec(None, tf.string)

    @tf.function(input_signature=[text, text, text], autograph=False)
    def score(instruction: Any, input: Any, output: Any) -> dict[str, tf.Tensor]:
        return scorer.score(instruction, input, output)._asdict()

    return score
