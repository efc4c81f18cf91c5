"""The model card, written from what the run recorded: nothing in it is claimed that was not measured or
configured."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from pipeline.components.hf_pusher.card_facts import LOCAL_HUB, PUBLIC_HUB, CardFacts, eval_results
from pipeline.components.hf_pusher.card_text import (
    DATA_DIGEST,
    EXAMPLES,
    KIND_TAGS,
    LOADING,
    LOADING_INTRODUCTION,
    NO_LICENSE,
    NON_COMMERCIAL,
    PURPOSES,
    SLICES,
    USE,
    WORDS,
)
from pipeline.components.hf_pusher.markdown import fenced, number, one_line, section, table
from pipeline.components.hf_pusher.plan import PastRevision

# Hub identifier of the checkpoint behind each KerasHub preset.
BASE_MODELS: Mapping[str, str] = {
    "gpt2_base_en": "openai-community/gpt2",
    "gpt2_medium_en": "openai-community/gpt2-medium",
    "gpt2_large_en": "openai-community/gpt2-large",
    "gpt2_extra_large_en": "openai-community/gpt2-xl",
}
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
    "ctranslate2_float32": "ctranslate2",
    "adapter": "peft",
}


def write_card(facts: CardFacts, *, repo_id: str, revision: str, history: Sequence[PastRevision] = ()) -> str:
    """The whole README.md of one revision, which came after those in `history`: YAML front matter and Markdown."""
    from huggingface_hub import ModelCard

    name = repo_id.rsplit("/", 1)[-1]
    body = "\n\n".join(
        [
            f"# {name}",
            _introduction(facts),
            section("Intended use and limits", USE[_kind(facts)]),
            section("Prompt format", _prompt_format(facts.prompt)),
            section("How to load it", _loading(facts, repo_id=repo_id, revision=revision)),
            section("Metrics", "\n\n".join([_metrics_table(facts.training), *_slices(facts)])),
            section("Sample answers", _samples(facts.training)),
            section("Training data", _training_data(facts)),
            section("How it was trained", _settings_tables(facts.training)),
            section("Licence", _licence(facts)),
            section("This revision", _revision(facts, revision=revision)),
            *_history(facts, repo_id=repo_id, history=history),
        ]
    )
    return str(ModelCard(f"---\n{_front_matter(facts, name=name)}\n---\n\n{body}\n"))


def base_model(training: Mapping[str, Any]) -> str | None:
    """The Hub's name of the model that was fine-tuned; None when it was trained from scratch or from a local
    preset."""
    preset = training.get("model", {}).get("preset")
    return BASE_MODELS.get(PurePath(str(preset)).name) if preset else None


def _front_matter(facts: CardFacts, *, name: str) -> str:
    from huggingface_hub import ModelCardData

    data = ModelCardData(
        language="en",
        license=facts.claimed_license,
        library_name=_LIBRARIES[facts.exports[0]],
        pipeline_tag="text-generation",
        base_model=base_model(facts.training),
        datasets=list(facts.named_datasets) or None,
        tags=["gpt2", *KIND_TAGS[_kind(facts)], "keras-hub", "ctranslate2", "tensorflow"],
        model_name=name,
        eval_results=eval_results(facts) or None,
    )
    return str(data.to_yaml()).strip()


def _introduction(facts: CardFacts) -> str:
    model = facts.training.get("model", {})
    parameters = f"{facts.training['parameters']:,} parameters" if "parameters" in facts.training else "GPT-2"
    preset = model.get("preset")
    origin = f"fine-tuned from `{PurePath(str(preset)).name}`" if preset else "trained from scratch"
    purpose = PURPOSES[_kind(facts)]
    return (
        f"A GPT-2 language model ({parameters}), {origin} {purpose} It was trained and published by an automatic "
        "pipeline; every number below was recorded by that run."
    )


def _kind(facts: CardFacts) -> str:
    """What the model was trained on: instructions, or raw text."""
    return str(facts.prompt.get("kind", "instructions"))


def _prompt_format(prompt: Mapping[str, Any]) -> str:
    if prompt.get("kind") == "text":
        return (
            f"A text's beginning, as it is; the model continues it, and ends a document with `{prompt['end_token']}` "
            f"(id {prompt['end_token_id']}). Beginning and continuation together have at most "
            f"{prompt['context_length']} tokens."
        )
    return "\n\n".join(
        [
            "With an input:",
            fenced(prompt["with_input"]),
            "Without one (an input of only white space counts as none):",
            fenced(prompt["without_input"]),
            f"The prompt ends with a line feed after `### Response:`. The model then writes its response and ends it "
            f"with `{prompt['end_token']}` (id {prompt['end_token_id']}). Prompt and response together have at most "
            f"{prompt['context_length']} tokens. `prompt.json` holds these templates for programs.",
        ]
    )


def _loading(facts: CardFacts, *, repo_id: str, revision: str) -> str:
    instruction = EXAMPLES[_kind(facts)]
    values = {
        "instruction": instruction,
        "prompt": facts.prompt["without_input"].format(instruction=instruction).replace("\n", "\\n"),
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
    rows = [(label, number(value)) for label, value in figures if value is not None]
    exact = training.get("exact_answers")
    if exact:
        answer = f"{exact['exact']} of {exact['rows']} ({exact['share']:.1%})"
        rows.append(("Evaluation prompts answered exactly", answer))
    return table(("metric", "value"), rows)


def _slices(facts: CardFacts) -> list[str]:
    """What the Evaluator found: a row for all rows of the evaluation split and one for each slice of it."""
    if not facts.found.slices:
        return []
    names = list(dict.fromkeys(name for row in facts.found.slices for name in row.metrics))
    rows = [
        (row.title, *(number(row.metrics[name]) if name in row.metrics else "" for name in names))
        for row in facts.found.slices
    ]
    return [SLICES, table(("rows of the evaluation split", *(WORDS.get(name, name) for name in names)), rows)]


def _training_data(facts: CardFacts) -> str:
    parts = []
    if facts.named_datasets:
        parts.append("Datasets: " + ", ".join(_dataset_link(name) for name in facts.named_datasets) + ".")
    if facts.found.origin.sources:
        parts.append("Made from: " + ", ".join(one_line(source) for source in facts.found.origin.sources) + ".")
    if facts.found.statistics:
        columns = list(dict.fromkeys(name for split in facts.found.statistics for name in split.mean_bytes))
        head = ("split", "rows", *(f"mean length of `{name}`, bytes" for name in columns))
        parts.append(table(head, (
            (split.name, f"{split.rows:,}", *(number(split.mean_bytes.get(name, "")) for name in columns))
            for split in facts.found.statistics
        )))  # fmt: skip
    if facts.found.allowed_anomalies:
        allowed = "\n".join(f"- {one_line(words)}" for words in facts.found.allowed_anomalies)
        parts.append(f"Anomalies that were found in the data and allowed by the run's configuration:\n\n{allowed}")
    digests = [
        (split, f"`{digest}`")
        for split in ("train", "eval")
        if (digest := _figure(facts.training, f"provenance.rows_sha256.{split}"))
    ]
    if digests:
        parts += [DATA_DIGEST, table(("split", "sha256"), digests)]
    return "\n\n".join(parts) or "The run recorded nothing about its data."


def _dataset_link(dataset: str) -> str:
    return f"[{dataset}]({PUBLIC_HUB}/datasets/{dataset})"


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
    shown = fenced(sample["prompt"] + sample["response"])
    expected = sample.get("expected")
    if expected is None or expected == sample["response"]:
        return shown
    return f"{shown}\n\nExpected:\n\n{fenced(expected)}"


def _settings_tables(training: Mapping[str, Any]) -> str:
    rows = [
        (f"{group}.{key}", f"`{PurePath(value).name if _is_path(key) and value else value}`")
        for group in ("model", "training")
        for key, value in _scalars(training.get(group, {}))
    ]
    return table(("setting", "value"), rows) if rows else "The run recorded no settings."


def _licence(facts: CardFacts) -> str:
    claimed, of_data = facts.claimed_license, facts.found.origin.license
    if claimed is None:
        return NO_LICENSE
    sentences = [f"`{claimed}`. It follows from the data that the model was trained on."]
    if facts.license and facts.license != of_data:
        known = f"are licensed `{of_data}`" if of_data else "came without a licence"
        sentences = [f"`{claimed}`, as its publisher says; the data that the model was trained on {known}."]
    if _is_non_commercial(claimed):
        sentences.append(NON_COMMERCIAL)
    elif _is_non_commercial(of_data):
        sentences.append("That licence of the data forbids commercial use.")
    if preset := facts.training.get("model", {}).get("preset"):
        start = PurePath(str(preset)).name
        sentences.append(f"The model that training started from, `{start}`, has a licence of its own.")
    return " ".join(sentences)


def _is_non_commercial(license_id: str | None) -> bool:
    return "-nc" in (license_id or "")


def _revision(facts: CardFacts, *, revision: str) -> str:
    lines = [f"- revision `{revision}`, named by the UTC time of publication; `main` is the newest one"]
    lines += [
        f"- {title}: `{value}`"
        for title, path in (
            ("trained in run", "provenance.run_id"),
            ("code, version", "provenance.code.version"),
            ("code, git commit", "provenance.code.git_commit"),
            ("code, sha256 of the training modules", "provenance.code.modules_sha256"),
        )
        if (value := _figure(facts.training, path))
    ]
    if facts.space_repo_id:
        lines.append(f"- [demo]({_host(facts)}/spaces/{facts.space_repo_id})")
    lines.append("- `manifest.json` lists every file with its size and sha256")
    return "\n".join(lines)


def _history(facts: CardFacts, *, repo_id: str, history: Sequence[PastRevision]) -> list[str]:
    if not history:
        return []
    lines = [
        f"- [`{past.revision}`]({_host(facts)}/{repo_id}/tree/{past.revision}), commit `{past.commit[:12]}`"
        for past in history
    ]
    text = "Those that were there when this one was published, newest first; some may have been removed since."
    return [section("Earlier revisions", "\n\n".join([text, "\n".join(lines)]))]


def _host(facts: CardFacts) -> str:
    return "" if facts.endpoint == LOCAL_HUB else facts.endpoint


def _scalars(group: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in group.items() if value is None or isinstance(value, (str, int, float))]


def _is_path(key: str) -> bool:
    """Whether a setting may hold a path of the training machine, of which only the last part is published."""
    return key.endswith(("_path", "preset"))
