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
from publishing.exports import EXPORTS

INT8_EXPORT, FLOAT32_EXPORT = EXPORTS["ctranslate2"], EXPORTS["ctranslate2_float32"]


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


INT8 = ExportForm(
    published=INT8_EXPORT,
    label="CTranslate2 int8",
    bytes_per_parameter=1,
    write=partial(write, quantization="int8"),
    ask=partial(ask, folder=INT8_EXPORT.model_folder),
    judge=partial(judge_rounded, folder=INT8_EXPORT.model_folder),
    export_setting=("ctranslate2", "int8"),
    proof_order=4,
)
FLOAT32 = ExportForm(
    published=FLOAT32_EXPORT,
    label="CTranslate2 float32",
    bytes_per_parameter=4,
    write=partial(write, quantization=None),
    ask=partial(ask, folder=FLOAT32_EXPORT.model_folder),
    judge=judge_choices,
    proof_order=3,
    export_setting=("ctranslate2", "float32"),
)
