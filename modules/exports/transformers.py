"""A Transformers checkpoint; ``AutoModelForCausalLM.from_pretrained(folder)`` loads it.

It is what the others are judged by: its usual reader needs PyTorch, so the proof reads it in NumPy.
"""

from __future__ import annotations

import json
from pathlib import Path

from modules.exports.form import ExportForm, TrainedModel, write_json
from modules.models.families import family_of, find_family
from modules.proving.agreement import REFERENCE, judge_reference
from modules.proving.answers import Answers, ask_logits, score_rows
from modules.proving.requests import Requests
from publishing.exports import EXPORTS


def write(model: TrainedModel, folder: Path) -> None:
    """Writes weights, configuration, tokenizer and generation defaults."""
    family, generation = family_of(model.backbone), model.generation
    family.save_transformers(model.backbone, model.tokenizer, folder)
    end_id = family.end_token_id(model.tokenizer)
    _add_chat_template(folder / "tokenizer_config.json", model.prompt_format.published_chat_template())
    sampled = generation.temperature > 0
    sampling = generation.model_dump(mode="json", include={"temperature", "top_k", "top_p"}) if sampled else {}
    write_json(
        folder / "generation_config.json",
        {
            "bos_token_id": end_id,
            "eos_token_id": end_id,
            "pad_token_id": end_id,
            "max_new_tokens": generation.max_new_tokens,
            "do_sample": sampled,
        }
        | sampling,
    )


def _add_chat_template(file: Path, template: str) -> None:
    if template:
        write_json(file, {**json.loads(file.read_text(encoding="utf-8")), "chat_template": template})


def ask(model_folder: Path, requests: Requests) -> Answers:
    """Answers from the safetensors, in NumPy; also scores the rows, which it formats by prompt.json."""
    logits = find_family(requests.family).reference_logits(model_folder / TRANSFORMERS.artifact_folder)
    return {**ask_logits(logits, requests), "scores": score_rows(model_folder, logits, requests.rows)}


TRANSFORMERS = ExportForm(
    published=EXPORTS[REFERENCE],
    label="Transformers",
    bytes_per_parameter=4,
    write=write,
    ask=ask,
    judge=judge_reference,
    proof_order=2,
)
