"""TensorFlow Serving's request and response shapes, applied to a SavedModel in this process.

Written from TensorFlow Serving's documentation and its sources (``predict_util.cc``, ``json_tensor.cc``): which inputs
a request must name, which may be left out, and how JSON becomes tensors. The server's own binary is not part of this.

A gRPC request (:func:`predict`) may leave out inputs that have defaults. A REST request (:func:`request_from_json`)
must name every input: as rows (``instances``), of which each gives one value per input, or as columns (``inputs``).
"""

from __future__ import annotations

import base64
import json
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
    """The SavedModel in `folder`."""
    graph = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes()).meta_graphs[0]
    return Servable(tf.saved_model.load(str(folder)).signatures, graph.signature_def)


def warmup_requests(folder: Path) -> Iterator[predict_pb2.PredictRequest]:
    """The requests that TensorFlow Serving tries before it lets others in."""
    for record in tf.data.TFRecordDataset([str(folder / WARMUP_FILE)]).as_numpy_iterator():
        yield prediction_log_pb2.PredictionLog.FromString(record).predict_log.request


def make_request(signature: str, inputs: Mapping[str, Any]) -> predict_pb2.PredictRequest:
    """A gRPC request."""
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def outputs(response: predict_pb2.PredictResponse) -> dict[str, np.ndarray]:
    """The response's tensors."""
    return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}


def predict(model: Servable, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
    """What PredictionService.Predict answers.

    Raises:
        RequestError: If there is no such signature, or an input is missing, unknown, or of another type.
    """
    name, signature = _signature(model, request.model_spec.signature_name)
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


def request_from_json(model: Servable, body: str) -> predict_pb2.PredictRequest:
    """The gRPC request that a REST body stands for.

    Raises:
        RequestError: If it is neither rows nor columns, or does not name exactly the signature's inputs.
    """
    parsed = json.loads(body)
    if ("instances" in parsed) == ("inputs" in parsed):
        raise RequestError(f"A body has either instances or inputs. Received: {', '.join(sorted(parsed))}.")
    name, signature = _signature(model, parsed.get("signature_name", ""))
    columns = _columns(parsed["instances"], signature) if "instances" in parsed else parsed["inputs"]
    if not isinstance(columns, dict) or _is_bytes(columns):
        columns = {_only_input(name, signature): columns}
    if columns.keys() != signature.inputs.keys():
        raise RequestError(
            f"A REST request names every input, defaults or not. Received: {', '.join(sorted(columns))} "
            f"for {name}({', '.join(sorted(signature.inputs))})."
        )
    types = {key: tf.as_dtype(info.dtype) for key, info in signature.inputs.items()}
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = name
    for key, value in columns.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(_decoded(value), dtype=types[key]))
    return request


def json_from_response(response: predict_pb2.PredictResponse, *, rows: bool) -> str:
    """The REST body of a response: ``predictions`` for rows, ``outputs`` for columns; one output needs no name."""
    columns = {name: _plain(tensor) for name, tensor in outputs(response).items()}
    if rows:
        listed = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return json.dumps({"predictions": next(iter(columns.values())) if len(columns) == 1 else listed})
    return json.dumps({"outputs": next(iter(columns.values())) if len(columns) == 1 else columns})


def _signature(model: Servable, name: str) -> tuple[str, meta_graph_pb2.SignatureDef]:
    name = name or DEFAULT_SIGNATURE
    if name not in model.signatures:
        raise RequestError(f"There is no such signature. Received: {name}. Take {', '.join(sorted(model.signatures))}.")
    return name, model.definitions[name]


def _required(signature: meta_graph_pb2.SignatureDef) -> set[str]:
    return set(signature.inputs) - set(signature.defaults)


def _columns(instances: Any, signature: meta_graph_pb2.SignatureDef) -> Any:
    """Rows as columns; a value that is no row is one of the only input."""
    if not isinstance(instances, list) or not instances:
        raise RequestError(f"instances is a list of at least one. Received: {instances!r}.")
    if not isinstance(instances[0], dict) or _is_bytes(instances[0]):
        return instances
    if any(row.keys() != instances[0].keys() for row in instances):
        raise RequestError("All rows name the same inputs. Received: rows with different ones.")
    return {key: [row[key] for row in instances] for key in instances[0]}


def _only_input(name: str, signature: meta_graph_pb2.SignatureDef) -> str:
    if len(signature.inputs) != 1:
        raise RequestError(
            f"Values without names need a signature with one input. Received: {name}({', '.join(signature.inputs)})."
        )
    return next(iter(signature.inputs))


def _is_bytes(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"}


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    return base64.b64decode(value["b64"]) if _is_bytes(value) else value


def _plain(tensor: np.ndarray) -> Any:
    return [item.decode("utf-8", "replace") if isinstance(item, bytes) else item for item in tensor.tolist()]
