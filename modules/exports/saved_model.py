"""The SavedModel that serves: :mod:`modules.serving.signatures` says how it is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from modules.exports.form import ExportForm, TrainedModel
from modules.proving.agreement import judge_texts
from modules.proving.answers import Answers, batches
from modules.proving.requests import Requests

CARD_SNIPPET = """
TensorFlow (the SavedModel formats and tokenises by itself; it needs only `tensorflow` and `tensorflow-text`):

```python
import tensorflow as tf
import tensorflow_text  # registers the tokenizer's operations
from huggingface_hub import snapshot_download

folder = snapshot_download("<<repo_id>>", revision="<<revision>>", allow_patterns="saved_model/*")
model = tf.saved_model.load(f"{folder}/saved_model")
answer = model.instruct(tf.constant(["<<instruction>>"]), tf.constant([""]))
print(answer["response"][0].numpy().decode())
```

TensorFlow Serving serves the folder as it is: `tensorflow_model_server --model_base_path=…` with `saved_model` as its
version `1`.
"""


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
    name="saved_model",
    label="SavedModel",
    library="tf-keras",
    bytes_per_parameter=4,
    write=write,
    card_snippet=CARD_SNIPPET,
    artifact_folder="Format-Serving",  # where TFX's Trainer puts it
    ask=ask,
    judge=judge_texts,
    proof_order=0,
)
