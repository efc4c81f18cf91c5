"""GGUF files, for llama.cpp and what is built on it, with a Modelfile for Ollama.

The proof reads the file with the format's own library and computes in NumPy, as PyTorch and llama.cpp are none of this
project's dependencies: names, layout and rounding of every weight are proved, llama.cpp's arithmetic is not.
``tests/parity/test_llama_cpp.py`` asks llama.cpp.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from modules.exports.form import ExportForm, TrainedModel
from modules.exports.ollama import modelfile
from modules.models.families import family_of, find_family
from modules.proving.agreement import judge_choices, judge_weights
from modules.proving.answers import Answers, ask_logits
from modules.proving.requests import Requests
from modules.proving.stored_weights import rounded_to_float16, rounded_to_q8_0
from publishing.exports import EXPORTS

FLOAT32_EXPORT, FLOAT16_EXPORT, Q8_0_EXPORT = (EXPORTS[name] for name in ("gguf_float32", "gguf_float16", "gguf"))


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


FLOAT32 = ExportForm(
    published=FLOAT32_EXPORT,
    label="GGUF float32",
    bytes_per_parameter=4,
    write=partial(write, weights="F32"),
    ask=partial(ask, folder=FLOAT32_EXPORT.model_folder, weights="F32"),
    judge=judge_choices,
    export_setting=("gguf", "f32"),
    proof_order=5,
)
FLOAT16 = ExportForm(
    published=FLOAT16_EXPORT,
    label="GGUF float16",
    bytes_per_parameter=2,
    write=partial(write, weights="F16"),
    ask=partial(ask, folder=FLOAT16_EXPORT.model_folder, weights="F16"),
    judge=partial(judge_weights, matrix=rounded_to_float16),
    export_setting=("gguf", "f16"),
    proof_order=6,
)
Q8_0 = ExportForm(
    published=Q8_0_EXPORT,
    label="GGUF 8 bits",
    bytes_per_parameter=1.07,
    write=partial(write, weights="Q8_0"),
    ask=partial(ask, folder=Q8_0_EXPORT.model_folder, weights="Q8_0"),
    judge=partial(judge_weights, matrix=rounded_to_q8_0),
    export_setting=("gguf", "q8_0"),
    proof_order=7,
)
