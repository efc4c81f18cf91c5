"""The SavedModel through TensorFlow Serving's request shapes. The server's own binary does not run here: what it does
to a request before the graph sees it is what ``tf_serving.py`` and ``rest_requests.py`` do."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from modules.proving import tf_serving
from modules.proving.tf_serving import RequestError, Servable
from tests.evaluation.rest_requests import json_from_response, request_from_json

PROMPTS = ["pear", "🙂 héllo", ""]
OPTIONS: dict[str, Any] = {"max_new_tokens": 4, "temperature": 0.0, "top_k": 0, "top_p": 1.0, "seed": 0}


@pytest.fixture(scope="module")
def model(model_folder: Path) -> Servable:
    return tf_serving.load(model_folder / "Format-Serving")


@pytest.fixture(scope="module")
def answers(model: Servable) -> list[str]:
    return grpc(model, "serving_default", prompt=PROMPTS)


def grpc(model: Servable, signature: str, **inputs: Any) -> list[str]:
    response = tf_serving.predict(model, tf_serving.make_request(signature, inputs))
    return [text.decode("utf-8", "replace") for text in tf_serving.outputs(response)["response"].tolist()]


def rest(model: Servable, body: dict[str, Any]) -> Any:
    response = tf_serving.predict(model, request_from_json(model, json.dumps(body)))
    return json.loads(json_from_response(response, rows="instances" in body))


def test_a_grpc_request_may_leave_out_what_has_a_default(model: Servable, answers: list[str]) -> None:
    assert grpc(model, "", prompt=PROMPTS) == answers
    assert grpc(model, "with_options", prompt=PROMPTS) == answers
    shorter = grpc(model, "with_options", prompt=PROMPTS, max_new_tokens=1)
    assert shorter == grpc(model, "with_options", prompt=PROMPTS, **OPTIONS | {"max_new_tokens": 1})
    assert shorter != answers


def test_rows_and_columns_of_json_give_the_same_answers(model: Servable, answers: list[str]) -> None:
    assert rest(model, {"instances": PROMPTS}) == {"predictions": answers}
    assert rest(model, {"instances": [{"prompt": prompt} for prompt in PROMPTS]}) == {"predictions": answers}
    assert rest(model, {"inputs": PROMPTS}) == {"outputs": answers}
    assert rest(model, {"inputs": {"prompt": PROMPTS}}) == {"outputs": answers}
    assert rest(model, {"signature_name": "with_options", "inputs": {"prompt": PROMPTS, **OPTIONS}}) == {
        "outputs": grpc(model, "with_options", prompt=PROMPTS, **OPTIONS)
    }


def test_a_text_may_come_in_base64(model: Servable, answers: list[str]) -> None:
    encoded = [{"b64": base64.b64encode(prompt.encode()).decode()} for prompt in PROMPTS]

    assert rest(model, {"instances": encoded}) == {"predictions": answers}
    assert rest(model, {"inputs": {"prompt": encoded}}) == {"outputs": answers}


def test_instructions_come_as_rows_of_two_inputs(model: Servable) -> None:
    rows = [{"instruction": "Sort", "input": "pear"}, {"instruction": "Name", "input": ""}]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    expected = grpc(model, "instruct", **columns)

    assert rest(model, {"signature_name": "instruct", "instances": rows}) == {"predictions": expected}
    assert rest(model, {"signature_name": "instruct", "inputs": columns}) == {"outputs": expected}


def test_scores_come_back_as_rows_or_columns_by_name(model: Servable) -> None:
    rows = [{"instruction": "Sort", "input": "pear", "output": "apple"}] * 2
    names = {"negative_log_likelihood", "tokens", "correct_tokens", "response_bytes"}
    found = rest(model, {"signature_name": "score", "instances": rows})["predictions"]
    columns = {name: [row[name] for row in rows] for name in rows[0]}

    assert [row.keys() for row in found] == [names, names]
    assert found[0]["response_bytes"] == 5
    assert rest(model, {"signature_name": "score", "inputs": columns})["outputs"].keys() == names


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"instances": PROMPTS, "inputs": PROMPTS}, "either instances or inputs. Received: inputs, instances"),
        ({"prompts": PROMPTS}, "either instances or inputs. Received: prompts"),
        ({"instances": []}, "at least one"),
        ({"signature_name": "chat", "instances": PROMPTS}, "no such signature. Received: chat"),
        ({"signature_name": "with_options", "instances": [{"prompt": "pear"}]}, "names every input"),
        ({"signature_name": "with_options", "inputs": PROMPTS}, "need a signature with one input"),
        ({"instances": [{"prompt": "a"}, {"text": "b"}]}, "All rows name the same inputs"),
    ],
)
def test_what_the_rest_api_refuses_is_refused(model: Servable, body: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        rest(model, body)


def test_what_the_grpc_api_refuses_is_refused(model: Servable) -> None:
    with pytest.raises(RequestError, match="serving_default without prompt, and with text that it does not have"):
        grpc(model, "serving_default", text=PROMPTS)
    with pytest.raises(RequestError, match="others in max_new_tokens"):
        grpc(model, "with_options", prompt=PROMPTS, max_new_tokens=4.0)


def test_warm_up_requests_lie_where_the_server_looks_and_name_all_their_inputs(
    model: Servable, model_folder: Path
) -> None:
    path = model_folder / "Format-Serving/assets.extra/tf_serving_warmup_requests"
    requests = list(tf_serving.warmup_requests(model_folder / "Format-Serving"))

    assert path.is_file()
    assert [request.model_spec.signature_name for request in requests] == [
        "with_options", "instruct_with_options", "score",
    ]  # fmt: skip
    for request in requests:
        assert request.inputs.keys() == model.definitions[request.model_spec.signature_name].inputs.keys()
        assert tf_serving.predict(model, request).outputs
