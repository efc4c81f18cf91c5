"""The model card, written from what the run recorded: nothing in it is claimed that was not measured or
configured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from pipeline.components.hf_pusher.card_text import LOADING, LOADING_INTRODUCTION, NON_COMMERCIAL, USE
from pipeline.components.hf_pusher.plan import EXPORTS

# Hub identifier of the checkpoint behind each KerasHub preset.
BASE_MODELS: Mapping[str, str] = {
    "gpt2_base_en": "openai-community/gpt2",
    "gpt2_medium_en": "openai-community/gpt2-medium",
    "gpt2_large_en": "openai-community/gpt2-large",
    "gpt2_extra_large_en": "openai-community/gpt2-xl",
}
PUBLIC_HUB = "https://huggingface.co"
# The embedded server: its port may change from run to run, so the card does not name its address.
LOCAL_HUB = "local"

# Where training.json has each figure.
_METRICS = (
    ("parameters", "Parameters"),
    ("data.train.rows", "Training rows"),
    ("data.train.supervised_tokens", "Supervised tokens in them"),
    ("steps", "Optimizer steps"),
    ("seconds", "Training time, s"),
    ("train_loss", "Training loss"),
    ("eval_loss", "Evaluation loss"),
    ("eval_token_accuracy", "Evaluation token accuracy"),
)
_SAMPLES_SHOWN = 8
# The Hub's name of the library that loads an export.
_LIBRARIES = {
    "transformers": "transformers",
    "keras": "keras-hub",
    "ctranslate2": "ctranslate2",
    "saved_model": "tf-keras",
}


@dataclass(frozen=True)
class CardFacts:
    """What the card may say: `training.json` and `prompt.json` of the model, and what the run was told."""

    training: Mapping[str, Any]
    prompt: Mapping[str, Any]
    license: str  # the Hub's identifier, such as "apache-2.0"
    endpoint: str = PUBLIC_HUB  # address, or "local"
    space_repo_id: str | None = None
    exports: tuple[str, ...] = tuple(EXPORTS)


def write_card(facts: CardFacts, *, repo_id: str, revision: str) -> str:
    """The whole README.md of one revision: YAML front matter and Markdown body."""
    from huggingface_hub import ModelCard

    name = repo_id.rsplit("/", 1)[-1]
    body = "\n\n".join(
        [
            f"# {name}",
            _introduction(facts),
            _section("Intended use and limits", USE),
            _section("Prompt format", _prompt_format(facts.prompt)),
            _section("How to load it", _loading(facts, repo_id=repo_id, revision=revision)),
            _section("Metrics", _metrics_table(facts.training)),
            _section("Sample answers", _samples(facts.training)),
            _section("How it was trained", _settings_tables(facts.training)),
            _section("Licence", _licence(facts.license)),
            _section("This revision", _revision(facts, revision=revision)),
        ]
    )
    return str(ModelCard(f"---\n{_front_matter(facts, name=name)}\n---\n\n{body}\n"))


def base_model(training: Mapping[str, Any]) -> str | None:
    """The Hub's name of the model that was fine-tuned; None when it was trained from scratch or from a local
    preset."""
    preset = training.get("model", {}).get("preset")
    return BASE_MODELS.get(PurePath(str(preset)).name) if preset else None


def _front_matter(facts: CardFacts, *, name: str) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="text-generation",
            dataset_type="instructions",
            dataset_name="evaluation split",
            metric_type=metric,
            metric_name=label,
            metric_value=facts.training[key],
        )
        for key, metric, label in (
            ("eval_loss", "loss", "Evaluation loss"),
            ("eval_token_accuracy", "accuracy", "Evaluation token accuracy"),
        )
        if key in facts.training
    ]
    data = ModelCardData(
        language="en",
        license=facts.license,
        library_name=_LIBRARIES[facts.exports[0]],
        pipeline_tag="text-generation",
        base_model=base_model(facts.training),
        tags=["gpt2", "instruction-following", "alpaca-format", "keras-hub", "ctranslate2", "tensorflow"],
        model_name=name,
        eval_results=results or None,
    )
    return str(data.to_yaml()).strip()


def _introduction(facts: CardFacts) -> str:
    model = facts.training.get("model", {})
    parameters = f"{facts.training['parameters']:,} parameters" if "parameters" in facts.training else "GPT-2"
    preset = model.get("preset")
    origin = f"fine-tuned from `{PurePath(str(preset)).name}`" if preset else "trained from scratch"
    return (
        f"A GPT-2 language model ({parameters}), {origin} to follow instructions: it is given an instruction, "
        "and optionally an input, and writes one response. It was trained and published by an automatic pipeline; "
        "every number below was recorded by that run."
    )


def _prompt_format(prompt: Mapping[str, Any]) -> str:
    return "\n\n".join(
        [
            "With an input:",
            _fenced(prompt["with_input"]),
            "Without one (an input of only white space counts as none):",
            _fenced(prompt["without_input"]),
            f"The prompt ends with a line feed after `### Response:`. The model then writes its response and ends it "
            f"with `{prompt['end_token']}` (id {prompt['end_token_id']}). Prompt and response together have at most "
            f"{prompt['context_length']} tokens. `prompt.json` holds these templates for programs.",
        ]
    )


def _loading(facts: CardFacts, *, repo_id: str, revision: str) -> str:
    values = {
        "repo_id": repo_id,
        "revision": revision,
        "end_token": facts.prompt["end_token"],
        "end_token_id": facts.prompt["end_token_id"],
        "max_new_tokens": facts.prompt.get("generation", {}).get("max_new_tokens", 128),
        "context_length": facts.prompt["context_length"],
    }
    parts = [LOADING_INTRODUCTION, *(LOADING[name] for name in LOADING if name in facts.exports)]
    text = re.sub(r"<<(\w+)>>", lambda match: str(values[match[1]]), "\n\n".join(part.strip() for part in parts))
    if facts.endpoint == PUBLIC_HUB:
        return text
    if facts.endpoint == LOCAL_HUB:
        return f"This repository lives on a local Hub: set `HF_ENDPOINT` to its address first.\n\n{text}"
    return f"This repository lives on another Hub: set `HF_ENDPOINT={facts.endpoint}` first.\n\n{text}"


def _metrics_table(training: Mapping[str, Any]) -> str:
    figures = [(label, _figure(training, path)) for path, label in _METRICS]
    rows = [(label, _number(value)) for label, value in figures if value is not None]
    exact = training.get("exact_answers")
    if exact:
        answer = f"{exact['exact']} of {exact['rows']} ({exact['share']:.1%})"
        rows.append(("Evaluation prompts answered exactly", answer))
    return _table(("metric", "value"), rows)


def _figure(training: Mapping[str, Any], path: str) -> Any:
    value: Any = training
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _samples(training: Mapping[str, Any]) -> str:
    samples = training.get("samples") or []
    if not samples:
        return "The run recorded none."
    introduction = (
        "Written by the model, unedited, to prompts of the evaluation split; the answer follows `### Response:`."
    )
    return "\n\n".join([introduction, *(_sample(sample) for sample in samples[:_SAMPLES_SHOWN])])


def _sample(sample: Mapping[str, str]) -> str:
    shown = _fenced(sample["prompt"] + sample["response"])
    expected = sample.get("expected")
    if expected is None or expected == sample["response"]:
        return shown
    return f"{shown}\n\nExpected:\n\n{_fenced(expected)}"


def _settings_tables(training: Mapping[str, Any]) -> str:
    rows = [
        (f"{group}.{key}", f"`{PurePath(value).name if _is_path(key) and value else value}`")
        for group in ("model", "training")
        for key, value in _scalars(training.get(group, {}))
    ]
    return _table(("setting", "value"), rows) if rows else "The run recorded no settings."


def _licence(license_id: str) -> str:
    text = f"`{license_id}`. It follows from the data that the model was trained on."
    return f"{text} {NON_COMMERCIAL}" if "-nc" in license_id else text


def _revision(facts: CardFacts, *, revision: str) -> str:
    lines = [f"- revision `{revision}`, named by the UTC time of publication; `main` is the newest one"]
    if facts.space_repo_id:
        host = "" if facts.endpoint == LOCAL_HUB else facts.endpoint
        lines.append(f"- [demo]({host}/spaces/{facts.space_repo_id})")
    lines.append("- `manifest.json` lists every file with its size and sha256")
    return "\n".join(lines)


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text.strip()}"


def _fenced(text: str) -> str:
    """`text` as a code block that its own backticks cannot end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text.rstrip(chr(10))}\n{fence}"


def _table(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "| --- | ---: |"]
    return "\n".join([*lines, *(f"| {name} | {_cell(value)} |" for name, value in rows)])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _scalars(group: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in group.items() if value is None or isinstance(value, (str, int, float))]


def _is_path(key: str) -> bool:
    """Whether a setting may hold a path of the training machine, of which only the last part is published."""
    return key.endswith(("_path", "preset"))
