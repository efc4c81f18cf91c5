"""GGUF files, for llama.cpp and what is built on it, with a Modelfile for Ollama.

The proof reads the file with the format's own library and computes in NumPy, as PyTorch and llama.cpp are none of this
project's dependencies: names, layout and rounding of every weight are proved, llama.cpp's arithmetic is not.
``tests/publishing/test_gguf_readers.py`` asks llama.cpp.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from modules.exports.form import ExportForm, TrainedModel
from modules.exports.ollama import modelfile
from modules.models.families import family_of, find_family
from modules.proving.agreement import Judge, judge_choices, judge_weights
from modules.proving.answers import Answers, ask_logits
from modules.proving.requests import Requests
from modules.proving.stored_weights import rounded_to_float16, rounded_to_q8_0
from publishing.exports import EXPORTS


def write(model: TrainedModel, folder: Path, *, weights: str) -> None:
    """Writes the file, and beside it what Ollama needs to know.

    Args:
        model: what to write.
        folder: where to; made.
        weights: how matrices are stored, a name of ``gguf.GGMLQuantizationType``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    template = model.prompt_format.published_chat_template()
    file = folder / file_name(weights)
    family_of(model.backbone).save_gguf(model.backbone, model.tokenizer, file, weights=weights, chat_template=template)
    (folder / "Modelfile").write_text(modelfile(model, file.name), encoding="utf-8")


def ask(model_folder: Path, requests: Requests, *, folder: str, weights: str) -> Answers:
    """Answers greedily, with the logits of each step."""
    return ask_logits(find_family(requests.family).gguf_logits(model_folder / folder / file_name(weights)), requests)


def file_name(weights: str) -> str:
    """Returns the name of the file with weights of a type, by which other software finds it."""
    return f"model-{weights}.gguf"


def _form(
    name: str, label: str, weights: str, *, bytes_per_parameter: float, judge: Judge, proof_order: int
) -> ExportForm:
    """Returns the form with weights of a type, a name of ``gguf.GGMLQuantizationType``."""
    export = EXPORTS[name]
    return ExportForm(
        published=export,
        label=label,
        bytes_per_parameter=bytes_per_parameter,
        write=partial(write, weights=weights),
        ask=partial(ask, folder=export.model_folder, weights=weights),
        judge=judge,
        export_setting=("gguf", weights.lower()),
        proof_order=proof_order,
    )


FLOAT32 = _form("gguf_float32", "GGUF float32", "F32", bytes_per_parameter=4, judge=judge_choices, proof_order=5)
FLOAT16 = _form(
    "gguf_float16",
    "GGUF float16",
    "F16",
    bytes_per_parameter=2,
    judge=partial(judge_weights, matrix=rounded_to_float16),
    proof_order=6,
)
Q8_0 = _form(
    "gguf",
    "GGUF 8 bits",
    "Q8_0",
    bytes_per_parameter=1.07,
    judge=partial(judge_weights, matrix=rounded_to_q8_0),
    proof_order=7,
)
