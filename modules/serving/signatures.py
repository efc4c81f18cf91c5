"""The SavedModel that serves: prompts or instructions in, responses out.

Signatures; texts are string [batch], and so is ``response``:

- ``serving_default(prompt)``: the prompt is taken as it is;
- ``instruct(instruction, input)``: formatted by :mod:`modules.prompts`, as in training;
- ``with_options(prompt, …)`` and ``instruct_with_options(instruction, input, …)``: the same with the scalars
  ``max_new_tokens``, ``temperature``, ``top_k``, ``top_p`` and ``seed``, which have defaults in the SavedModel;
- ``score(instruction, input, output)``: how likely the model finds `output`;
  :class:`modules.serving.scoring.Scores`.

The first two exist because TensorFlow Serving's REST API wants every input of a signature in every request, defaults
or not, and in its row form (``instances``) cannot express a scalar at all. Its gRPC API fills in defaults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from modules.prompts import ALPACA
from modules.prompts.format import PromptFormat
from modules.serving.generation import Decoding, TextGenerator
from modules.serving.scoring import ResponseScorer
from modules.settings.generation import GenerationSettings

DEFAULT_SEED = 0
# Where TensorFlow Serving looks for requests to try before it lets others in.
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
WARMUP_TOKENS = 2  # a response's length there: enough to run every operation of the graph


class ServingModule(tf.Module):
    """A generator with its signatures.

    Args:
        generator: what answers.
        defaults: decoding settings for callers that leave them out.
        prompt_format: how prompts are made: a model of raw text takes its instructions as they are.
    """

    def __init__(
        self, generator: TextGenerator, defaults: GenerationSettings, prompt_format: PromptFormat = ALPACA
    ) -> None:
        super().__init__(name="serving")
        self.generator = generator
        self.prompt_format = prompt_format
        self.scorer = ResponseScorer(generator, prompt_format)
        functions = _signatures(generator, defaults, prompt_format)
        self.serve, self.instruct = functions.with_options, functions.instruct_with_options
        self.score = _score_signature(self.scorer)
        self.plain = {"serving_default": functions.serve, "instruct": functions.instruct}

    def respond(self, prompts: Sequence[str]) -> list[str]:
        """Answers with the defaults; an incomplete UTF-8 sequence at the cut shows as U+FFFD."""
        responses = self.serve(tf.constant(list(prompts)))["response"].numpy()
        return [response.decode("utf-8", errors="replace") for response in responses]


def save_serving_model(module: ServingModule, folder: Path) -> None:
    """Writes the SavedModel with its warm-up requests; it needs only tensorflow and tensorflow_text to run.

    No optimizer is part of it.
    """
    signatures = module.plain | {
        "with_options": module.serve,
        "instruct_with_options": module.instruct,
        "score": module.score,
    }
    tf.saved_model.save(module, str(folder), signatures=signatures)
    write_warmup_requests(folder / WARMUP_FILE, module.prompt_format)


def write_warmup_requests(path: Path, prompt_format: PromptFormat) -> None:
    """Requests for TensorFlow Serving to try while it loads the model: without them the first caller would wait.

    They ask for few tokens, because the model serves nobody until they are answered.
    """
    from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

    options = {"max_new_tokens": WARMUP_TOKENS, "temperature": 0.0, "top_k": 0, "top_p": 1.0, "seed": DEFAULT_SEED}
    row = {"instruction": ["Say hello."], "input": [""]}
    requests: list[tuple[str, Mapping[str, Any]]] = [
        ("with_options", {"prompt": [prompt_format.format("Say hello.")], **options}),
        ("instruct_with_options", {**row, **options}),
        ("score", {**row, "output": ["Hello."]}),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests:
            request = predict_pb2.PredictRequest(
                model_spec=model_pb2.ModelSpec(signature_name=signature),
                inputs={name: tf.make_tensor_proto(value) for name, value in inputs.items()},
            )
            logged = prediction_log_pb2.PredictLog(request=request)
            writer.write(prediction_log_pb2.PredictionLog(predict_log=logged).SerializeToString(deterministic=True))


class _Functions(NamedTuple):
    serve: Any
    instruct: Any
    with_options: Any
    instruct_with_options: Any


def _signatures(generator: TextGenerator, defaults: GenerationSettings, prompt_format: PromptFormat) -> _Functions:
    text = tf.TensorSpec([None], tf.string)
    scalars = [tf.TensorSpec([], dtype) for dtype in (tf.int32, tf.float32, tf.int32, tf.float32, tf.int32)]
    length = tf.constant(defaults.max_new_tokens, tf.int32)
    temperature = tf.constant(defaults.temperature, tf.float32)
    k = tf.constant(defaults.top_k, tf.int32)
    p = tf.constant(defaults.top_p, tf.float32)
    fixed = tf.constant(DEFAULT_SEED, tf.int32)

    # One inner function, traced once and called by all. AutoGraph would only slow the tracing down: control flow
    # below is written with TensorFlow's own operations.
    @tf.function(input_signature=[text, *scalars], autograph=False)
    def generate(prompt: Any, *decoding: Any) -> tf.Tensor:
        return generator.generate(prompt, Decoding(*decoding))

    @tf.function(input_signature=[text], autograph=False)
    def serve(prompt: Any) -> dict[str, tf.Tensor]:
        return {"response": generate(prompt, length, temperature, k, p, fixed)}

    @tf.function(input_signature=[text, text], autograph=False)
    def instruct(instruction: Any, input: Any) -> dict[str, tf.Tensor]:
        return serve(prompt_format.format_tensors(instruction, input))

    @tf.function(input_signature=[text, *scalars], autograph=False)
    def with_options(
        prompt: Any,
        max_new_tokens: Any = length,
        temperature: Any = temperature,
        top_k: Any = k,
        top_p: Any = p,
        seed: Any = fixed,
    ) -> dict[str, tf.Tensor]:
        return {"response": generate(prompt, max_new_tokens, temperature, top_k, top_p, seed)}

    @tf.function(input_signature=[text, text, *scalars], autograph=False)
    def instruct_with_options(
        instruction: Any,
        input: Any,
        max_new_tokens: Any = length,
        temperature: Any = temperature,
        top_k: Any = k,
        top_p: Any = p,
        seed: Any = fixed,
    ) -> dict[str, tf.Tensor]:
        prompt = prompt_format.format_tensors(instruction, input)
        return {"response": generate(prompt, max_new_tokens, temperature, top_k, top_p, seed)}

    return _Functions(serve, instruct, with_options, instruct_with_options)


def _score_signature(scorer: ResponseScorer) -> Any:
    # Any shape: TFMA feeds [batch, 1], people feed [batch].
    text = tf.TensorSpec(None, tf.string)

    @tf.function(input_signature=[text, text, text], autograph=False)
    def score(instruction: Any, input: Any, output: Any) -> dict[str, tf.Tensor]:
        return scorer.score(instruction, input, output)._asdict()

    return score
