"""TensorFlow Serving's REST bodies as gRPC requests, and its responses as REST bodies.

Written from TensorFlow Serving's documentation and its source (``json_tensor.cc``): how JSON becomes tensors. A REST
request must name every input: as rows (``instances``), of which each gives one value per input, or as columns
(``inputs``).
"""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2

from modules.proving.tf_serving import RequestError, Servable, find_signature, outputs


def request_from_json(model: Servable, body: str) -> predict_pb2.PredictRequest:
    """The gRPC request that a REST body stands for.

    Raises:
        RequestError: If it is neither rows nor columns, or does not name exactly the signature's inputs.
    """
    parsed = json.loads(body)
    if ("instances" in parsed) == ("inputs" in parsed):
        raise RequestError(f"A body has either instances or inputs. Received: {', '.join(sorted(parsed))}.")
    name, signature = find_signature(model, parsed.get("signature_name", ""))
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
