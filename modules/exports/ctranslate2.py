"""CTranslate2 generators, in 8 bits and in float32; ``ctranslate2.Generator(folder)`` loads them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from modules.exports.form import ExportForm, TrainedModel
from modules.exports.int8 import quantize_model
from modules.models.families import family_of
from modules.proving.agreement import judge_choices, judge_rounded
from modules.proving.answers import Answers, log_softmax, pack
from modules.proving.requests import Requests

CARD_SNIPPET = """
CTranslate2 (<<precision>>):

```python
import ctranslate2
from huggingface_hub import snapshot_download
from tokenizers import Tokenizer

folder = snapshot_download(
    "<<repo_id>>", revision="<<revision>>", allow_patterns=["<<folder>>/*", "tokenizer.json"]
)
tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
generator = ctranslate2.Generator(f"{folder}/<<folder>>")
prompt = "<<prompt>>"
result = generator.generate_batch(
    [tokenizer.encode(prompt).tokens],
    max_length=<<max_new_tokens>>,
    include_prompt_in_result=False,
    end_token="<<end_token>>",
)
print(tokenizer.decode(result[0].sequences_ids[0]))
```
"""
INT8_FOLDER = "exports/ctranslate2"


def write(model: TrainedModel, folder: Path, *, quantization: str | None) -> None:
    """Writes a generator.

    Args:
        model: what to write.
        folder: where to; made.
        quantization: how weights are stored: ``int8`` as :mod:`modules.exports.int8` says, another of CTranslate2's
            names (``int8_float32``) as that library does by itself; None keeps float32.
    """
    spec = family_of(model.backbone).ctranslate2_spec(model.backbone, model.tokenizer)
    if quantization == "int8":
        quantize_model(spec)
    else:
        spec.optimize(quantization=quantization)
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))


def ask(model_folder: Path, requests: Requests, *, folder: str) -> Answers:
    """Answers greedily, with the logits of each step."""
    import ctranslate2
    from tokenizers import Tokenizer

    generator = ctranslate2.Generator(str(model_folder / folder), device="cpu")
    tokenizer = Tokenizer.from_file(str(model_folder / "exports/transformers/tokenizer.json"))
    answers = []
    for ids in requests.prompt_ids:
        (result,) = generator.generate_batch(
            [[tokenizer.id_to_token(token) for token in ids]],
            max_length=requests.new_tokens,
            sampling_topk=1,
            include_prompt_in_result=False,
            return_logits_vocab=True,
        )
        logits = [np.asarray(step, np.float32).reshape(-1) for step in result.logits[0]]
        answers.append((result.sequences_ids[0], log_softmax(np.stack(logits))))
    return pack(answers, requests)


def card_snippet(folder: str, precision: str) -> str:
    """Returns how a generator in `folder` of a revision is loaded."""
    return CARD_SNIPPET.replace("<<folder>>", folder).replace("<<precision>>", precision)


INT8 = ExportForm(
    name="ctranslate2",
    label="CTranslate2 int8",
    library="ctranslate2",
    bytes_per_parameter=1,
    write=partial(write, quantization="int8"),
    card_snippet=card_snippet("ctranslate2", "8-bit, light, fast on a CPU"),
    ask=partial(ask, folder=INT8_FOLDER),
    judge=partial(judge_rounded, folder=INT8_FOLDER),
    export_setting="int8",
    proof_order=4,
)
FLOAT32 = ExportForm(
    name="ctranslate2_float32",
    label="CTranslate2 float32",
    library="ctranslate2",
    bytes_per_parameter=4,
    write=partial(write, quantization=None),
    card_snippet=card_snippet("ctranslate2_float32", "float32: four times as large, no rounding"),
    ask=partial(ask, folder="exports/ctranslate2_float32"),
    judge=judge_choices,
    proof_order=3,
    export_setting="float32",
)
