"""The SavedModel that serves: :mod:`modules.serving.signatures` says how it is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from modules.exports.form import ExportForm, TrainedModel
from modules.proving.agreement import judge_texts
from modules.proving.answers import Answers, batches
from modules.proving.requests import Requests
from publishing.exports import EXPORTS


def write(model: TrainedModel, folder: Path) -> None:
    """Writes the SavedModel with its signatures and warm-up requests."""
    from modules.serving.signatures import save_serving_model

    save_serving_model(model.serving, folder)


def ask(model_folder: Path, requests: Requests) -> Answers:
    """Answers greedily, through PredictRequests; the requests that it warms itself up with must work too."""
    from modules.proving import tf_serving

    folder = model_folder / SAVED_MODEL.artifact_folder
    model = tf_serving.load(folder)
    for request in tf_serving.warmup_requests(folder):
        tf_serving.predict(model, request)
    options = {"max_new_tokens": requests.new_tokens, "temperature": 0.0, "top_k": 0, "top_p": 1.0, "seed": 0}
    texts: dict[int, bytes] = {}
    for batch in batches(dict(enumerate(requests.prompt_ids))):
        prompts = {"prompt": [requests.prompts[index] for index in batch]}
        given = tf_serving.predict(model, tf_serving.make_request("with_options", prompts | options))
        texts |= dict(zip(batch, tf_serving.outputs(given)["response"].tolist(), strict=True))
    columns = zip(("instruction", "input", "output"), zip(*requests.rows, strict=True), strict=True)
    asked = tf_serving.make_request("score", {name: list(column) for name, column in columns})
    scores = tf_serving.outputs(tf_serving.predict(model, asked))
    return {
        "texts": np.array([texts[index].hex() for index in range(len(texts))]),
        "scores": np.stack([scores["negative_log_likelihood"], scores["tokens"]], axis=1),
    }


SAVED_MODEL = ExportForm(
    published=EXPORTS["saved_model"],
    label="SavedModel",
    bytes_per_parameter=4,
    write=write,
    ask=ask,
    judge=judge_texts,
    proof_order=0,
)
