"""A KerasHub preset, which the trainer writes and all other forms but adapters are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from modules.exports.form import ExportForm, TrainedModel
from modules.models.families import family_of, find_family
from modules.proving.agreement import judge_choices
from modules.proving.answers import Answers, decode_greedily
from modules.proving.requests import Requests

CARD_SNIPPET = """
KerasHub:

```python
import keras_hub
import numpy as np
from huggingface_hub import snapshot_download
from tokenizers import Tokenizer

folder = snapshot_download("<<repo_id>>", revision="<<revision>>", allow_patterns=["keras/*", "tokenizer.json"])
tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
model = keras_hub.models.GPT2CausalLM.from_preset(f"{folder}/keras", preprocessor=None)
model.compile(sampler="greedy")
prompt = "<<prompt>>"
ids = tokenizer.encode(prompt).ids
room = min(<<max_new_tokens>>, <<context_length>> - len(ids))
tokens = {
    "token_ids": np.array([ids + [0] * room]),
    "padding_mask": np.array([[True] * len(ids) + [False] * room]),
}
answer = model.generate(tokens, stop_token_ids=[<<end_token_id>>])
written = answer["token_ids"][0][answer["padding_mask"][0]][len(ids):]
print(tokenizer.decode(written))
```

Do not leave the tokenizer to KerasHub 0.32: the one in the preset parts `\\n\\n` and numbers otherwise than GPT-2 does,
and its `generate` puts a start token in front that this model was trained without; answers get worse. The weights alone
also load from the repository's root: `keras_hub.models.GPT2Backbone.from_preset("hf://<<repo_id>>")`.
"""


def write(model: TrainedModel, folder: Path) -> None:
    """Writes the preset in float32, with adapters merged."""
    from modules.models.float32 import as_float32

    folder.parent.mkdir(parents=True, exist_ok=True)
    backbone = as_float32(model.backbone)
    family_of(backbone).save_preset(backbone, model.tokenizer, folder)


def ask(model_folder: Path, requests: Requests) -> Answers:
    """Answers from the preset's backbone, by KerasHub."""
    logits = find_family(requests.family).preset_logits(model_folder / KERAS.artifact_folder)

    def next_logits(rows: Mapping[int, Sequence[int]]) -> np.ndarray:
        lengths = np.array([len(ids) for ids in rows.values()])
        tokens = np.zeros((len(rows), lengths.max()), np.int32)
        for row, ids in zip(tokens, rows.values(), strict=True):
            row[: len(ids)] = ids
        return logits(tokens, lengths)

    return decode_greedily(next_logits, requests)


KERAS = ExportForm(
    name="keras",
    label="KerasHub preset",
    library="keras-hub",
    bytes_per_parameter=4,
    write=write,
    card_snippet=CARD_SNIPPET,
    ask=ask,
    judge=judge_choices,
    written_by="trainer",
    proof_order=1,
)
