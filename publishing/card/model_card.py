"""Writes the model card from what the run recorded: nothing in it is claimed that was not measured or configured.

The text is in `templates/`: `model_card.md.j2` names the sections, and each export has a template of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from publishing.card.facts import LOCAL_HUB, PUBLIC_HUB, CardFacts
from publishing.card.front_matter import front_matter
from publishing.card.markdown import fenced, number, one_line, table
from publishing.exports import Export
from publishing.manifest import PastRevision

TEMPLATES = Path(__file__).parent / "templates"
# What a snippet asks, by what the model was trained on.
EXAMPLES = {"instructions": "Name the capital of France.", "text": "Once upon a time"}
# Where training.json has each figure.
METRICS = (
    ("parameters", "Parameters"),
    ("data.train.rows", "Training rows"),
    ("data.train.supervised_tokens", "Supervised tokens in them"),
    ("steps", "Optimizer steps"),
    ("seconds", "Training time, s"),
    ("train_loss", "Training loss"),
    ("eval_loss", "Evaluation loss"),
    ("eval_token_accuracy", "Evaluation token accuracy"),
)
# What the tables call a metric; one that is not here has its own name.
METRIC_TITLES = {
    "token_accuracy": "token accuracy",
    "bits_per_byte": "bits per byte",
    "scored_rows": "rows scored",
    "tokens": "response tokens",
}
SAMPLES_SHOWN = 8


class Table(NamedTuple):
    """A table of the card."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def write_card(facts: CardFacts, *, repo_id: str, revision: str, history: Sequence[PastRevision] = ()) -> str:
    """Returns the whole README.md of one revision, which came after those in `history`: YAML and Markdown."""
    from huggingface_hub import ModelCard

    name = repo_id.rsplit("/", 1)[-1]
    text = (
        _environment()
        .get_template("model_card.md.j2")
        .render(
            name=name,
            front_matter=front_matter(facts, name=name),
            facts=facts,
            training=facts.training,
            prompt=facts.prompt,
            kind=facts.kind,
            preset=preset_name(facts),
            repo_id=repo_id,
            revision=revision,
            history=history,
            host="" if facts.endpoint == LOCAL_HUB else facts.endpoint,
            public_hub=PUBLIC_HUB,
            snippets=_snippets(facts, repo_id=repo_id, revision=revision),
            figure=facts.figure,
            table=table,
            metrics=_metric_rows(facts),
            slices=_slice_table(facts),
            samples=(facts.training.get("samples") or [])[:SAMPLES_SHOWN],
            statistics=_statistics_table(facts),
            digests=_digest_rows(facts),
            settings=_setting_rows(facts.training),
        )
    )
    return str(ModelCard(text))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=False,  # Markdown, which `fenced` and `one_line` keep text from elsewhere from breaking out of
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"fenced": fenced, "one_line": one_line}
    return environment


def preset_name(facts: CardFacts) -> str | None:
    """Returns the name of the model that was fine-tuned, without the path; None if it was trained from scratch."""
    preset = facts.figure("model.preset")
    return PurePath(str(preset)).name if preset else None


def _snippets(facts: CardFacts, *, repo_id: str, revision: str) -> list[str]:
    instruction = EXAMPLES[facts.kind]
    values = {
        "instruction": instruction,
        "prompt": facts.prompt["without_input"].format(instruction=instruction).replace("\n", "\\n"),
        "keras_prefix": facts.family.keras_prefix,
        "repo_id": repo_id,
        "revision": revision,
        "end_token": facts.prompt["end_token"],
        "end_token_id": facts.prompt["end_token_id"],
        "max_new_tokens": facts.prompt.get("generation", {}).get("max_new_tokens", 128),
        "context_length": facts.prompt["context_length"],
    }
    return [_snippet(export, values) for export in facts.described_exports]


def _snippet(export: Export, values: Mapping[str, Any]) -> str:
    """Returns the lines that load an export and ask it."""
    environment = _snippet_environment()
    if export.snippet is None:
        template = environment.get_template(f"loading/{export.name}.md.j2")
    else:
        template = environment.from_string(export.snippet)
    return template.render(values).strip()


@cache
def _snippet_environment() -> Environment:
    """Returns the environment of the snippets, whose Python is full of braces: a value is written `<<name>>`."""
    return _environment().overlay(variable_start_string="<<", variable_end_string=">>")


def _metric_rows(facts: CardFacts) -> list[tuple[str, str]]:
    figures = [(title, facts.figure(path)) for path, title in METRICS]
    rows = [(title, number(value)) for title, value in figures if value is not None]
    exact = facts.training.get("exact_answers")
    if exact:
        answer = f"{exact['exact']} of {exact['rows']} ({exact['share']:.1%})"
        rows.append(("Evaluation prompts answered exactly", answer))
    return rows


def _slice_table(facts: CardFacts) -> Table:
    """Returns the Evaluator's metrics: a row for all rows of the evaluation split and one for each slice of it."""
    slices = facts.found.slices
    names = list(dict.fromkeys(name for row in slices for name in row.metrics))
    return Table(
        ("rows of the evaluation split", *(METRIC_TITLES.get(name, name) for name in names)),
        [(row.title, *(number(row.metrics.get(name, "")) for name in names)) for row in slices],
    )


def _statistics_table(facts: CardFacts) -> Table:
    splits = facts.found.statistics
    columns = list(dict.fromkeys(name for split in splits for name in split.mean_bytes))
    return Table(
        ("split", "rows", *(f"mean length of `{name}`, bytes" for name in columns)),
        [(split.name, f"{split.rows:,}", *(number(split.mean_bytes.get(name, "")) for name in columns))
         for split in splits],
    )  # fmt: skip


def _digest_rows(facts: CardFacts) -> list[tuple[str, str]]:
    digests = ((split, facts.figure(f"provenance.rows_sha256.{split}")) for split in ("train", "eval"))
    return [(split, f"`{digest}`") for split, digest in digests if digest]


def _setting_rows(training: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (f"{group}.{key}", f"`{PurePath(str(value)).name if _is_path(key) and value else value}`")
        for group in ("model", "training")
        for key, value in training.get(group, {}).items()
        if value is None or isinstance(value, (str, int, float))
    ]


def _is_path(key: str) -> bool:
    """Returns whether a setting may hold a path of the training machine, of which only the last part is published."""
    return key.endswith(("_path", "preset"))
