"""TensorFlow Serving's gRPC requests and responses, applied to a SavedModel in this process.

Written from TensorFlow Serving's documentation and its source (``predict_util.cc``): which inputs a request must name,
and which may be left out because they have defaults. The server's own binary is not part of this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 - registers the tokenizer's operations
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

DEFAULT_SIGNATURE = "serving_default"
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"


class RequestError(ValueError):
    """A request that TensorFlow Serving would refuse."""


class Servable(NamedTuple):
    """A loaded SavedModel.

    Attributes:
        signatures: as functions.
        definitions: as TensorFlow Serving sees them: names, types and defaults.
    """

    signatures: Mapping[str, Any]
    definitions: Mapping[str, meta_graph_pb2.SignatureDef]


def load(folder: Path) -> Servable:
    """Returns the SavedModel in `folder`."""
    graph = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes()).meta_graphs[0]
    return Servable(tf.saved_model.load(str(folder)).signatures, graph.signature_def)


def warmup_requests(folder: Path) -> Iterator[predict_pb2.PredictRequest]:
    """Yields the requests that TensorFlow Serving tries before it lets others in."""
    for record in tf.data.TFRecordDataset([str(folder / WARMUP_FILE)]).as_numpy_iterator():
        yield prediction_log_pb2.PredictionLog.FromString(record).predict_log.request


def make_request(signature: str, inputs: Mapping[str, Any]) -> predict_pb2.PredictRequest:
    """Returns a gRPC request."""
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def outputs(response: predict_pb2.PredictResponse) -> dict[str, np.ndarray]:
    """Returns the response's tensors."""
    return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}


def predict(model: Servable, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
    """Returns the response of PredictionService.Predict.

    Raises:
        RequestError: If there is no such signature, or an input is missing, unknown, or of another type.
    """
    name, signature = find_signature(model, request.model_spec.signature_name)
    unknown, missing = request.inputs.keys() - signature.inputs.keys(), _required(signature) - request.inputs.keys()
    if unknown or missing:
        raise RequestError(
            f"A request names the inputs of its signature. Received: {name} without {', '.join(sorted(missing)) or '-'}"
            f", and with {', '.join(sorted(unknown)) or 'nothing'} that it does not have."
        )
    given = {key: signature.defaults[key] for key in signature.defaults} | dict(request.inputs)
    wrong = [key for key, tensor in given.items() if tensor.dtype != signature.inputs[key].dtype]
    if wrong:
        raise RequestError(f"Inputs have the types of the signature. Received: others in {', '.join(sorted(wrong))}.")
    tensors = {key: tf.constant(tf.make_ndarray(tensor)) for key, tensor in given.items()}
    response = predict_pb2.PredictResponse()
    response.model_spec.signature_name = name
    for key, tensor in model.signatures[name](**tensors).items():
        response.outputs[key].CopyFrom(tf.make_tensor_proto(tensor.numpy()))
    return response


def find_signature(model: Servable, name: str) -> tuple[str, meta_graph_pb2.SignatureDef]:
    """Returns the name and the definition of a signature; an empty `name` stands for the default one.

    Raises:
        RequestError: If there is no such signature.
    """
    name = name or DEFAULT_SIGNATURE
    if name not in model.signatures:
        raise RequestError(f"There is no such signature. Received: {name}. Take {', '.join(sorted(model.signatures))}.")
    return name, model.definitions[name]


def _required(signature: meta_graph_pb2.SignatureDef) -> set[str]:
    return set(signature.inputs) - set(signature.defaults)
