from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from pipeline.components.hf_pusher.card import CardFacts, write_card
from tests.publish.publishing import REVISION, facts_of


def test_the_front_matter_says_what_the_hub_searches_by(facts: CardFacts) -> None:
    card = _card(facts)

    assert card.data.get("license") == "apache-2.0"
    assert card.data.get("language") == "en"
    assert card.data.get("library_name") == "transformers"
    assert card.data.get("pipeline_tag") == "text-generation"
    assert card.data.get("base_model") is None
    results = {result.metric_name: result.metric_value for result in card.data.get("eval_results") or []}
    assert results == {"Evaluation loss": 1.5, "Evaluation token accuracy": 0.75}


@pytest.mark.parametrize(
    ("preset", "base_model", "origin"),
    [
        ("gpt2_base_en", "openai-community/gpt2", "fine-tuned from `gpt2_base_en`"),
        ("gpt2_extra_large_en", "openai-community/gpt2-xl", "fine-tuned from `gpt2_extra_large_en`"),
        ("/home/ann/presets/mine", None, "fine-tuned from `mine`"),
        (None, None, "trained from scratch"),
    ],
)
def test_the_origin_of_the_weights_is_told_without_the_path_they_came_from(
    facts: CardFacts, preset: str | None, base_model: str | None, origin: str
) -> None:
    card = _card(_with_training(facts, model={"preset": preset}))

    assert card.data.get("base_model") == base_model
    assert origin in card.text
    assert "/home/ann" not in card.content


def test_a_non_commercial_licence_is_spelt_out(facts: CardFacts) -> None:
    card = _card(dataclasses.replace(facts, license="cc-by-nc-4.0"))

    assert card.data.get("license") == "cc-by-nc-4.0"
    assert "forbids commercial use" in card.text
    assert "forbids commercial use" not in _card(facts).text


def test_the_prompt_is_shown_as_it_is(facts: CardFacts) -> None:
    text = _card(facts).text
    assert "```text\n### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n```" in text
    assert "```text\n### Instruction:\n{instruction}\n\n### Response:\n```" in text


def test_a_sample_with_backticks_cannot_break_out_of_its_block(facts: CardFacts) -> None:
    text = _card(_with_training(facts, samples=[{"prompt": "p\n", "response": "```\n# Boo"}])).text
    assert "````text\np\n```\n# Boo\n````" in text


def test_metrics_that_were_not_recorded_are_left_out(facts: CardFacts) -> None:
    training = {"parameters": 5, "model": {}, "training": {}}
    card = _card(dataclasses.replace(facts, training=training))

    assert card.data.get("eval_results") is None
    assert "| Parameters | 5 |" in card.text
    assert "Evaluation loss" not in card.text
    assert "The run recorded none." in card.text


def test_figures_are_taken_from_where_the_trainer_puts_them(facts: CardFacts) -> None:
    text = _card(facts).text
    assert "| Training rows | 100 |" in text
    assert "| Supervised tokens in them | 2,000 |" in text
    assert "| Evaluation prompts answered exactly | 114 of 120 (95.0%) |" in text
    assert "answered exactly" not in _card(_with_training(facts, exact_answers=None)).text


def test_the_expected_answer_is_shown_where_the_model_gave_another(facts: CardFacts) -> None:
    right = {"prompt": "p\n", "response": "yes", "expected": "yes"}
    wrong = {"prompt": "q\n", "response": "no", "expected": "maybe"}
    text = _card(_with_training(facts, samples=[right, wrong])).text
    assert "```text\np\nyes\n```\n\n```text\nq\nno\n```\n\nExpected:\n\n```text\nmaybe\n```" in text


def test_every_snippet_is_valid_python_and_names_the_revision(facts: CardFacts) -> None:
    snippets = [block.split("```")[0] for block in _card(facts).text.split("```python\n")[1:]]

    assert len(snippets) == 4
    for snippet in snippets:
        compile(snippet, "card", "exec")
        assert REVISION in snippet
        assert "<<" not in snippet


def test_a_hub_other_than_the_public_one_is_named(facts: CardFacts) -> None:
    text = _card(dataclasses.replace(facts, endpoint="https://hub.example", space_repo_id="me/demo")).text
    assert "HF_ENDPOINT=https://hub.example" in text
    assert "[demo](https://hub.example/spaces/me/demo)" in text
    assert "HF_ENDPOINT" not in _card(facts).text


def test_the_card_does_not_depend_on_the_port_of_the_local_hub(facts: CardFacts) -> None:
    text = _card(dataclasses.replace(facts, endpoint="local", space_repo_id="local/demo")).text
    assert "set `HF_ENDPOINT` to its address" in text
    assert "[demo](/spaces/local/demo)" in text


@pytest.fixture
def facts(model_folder: Path) -> CardFacts:
    return facts_of(model_folder)


def _with_training(facts: CardFacts, **changes: Any) -> CardFacts:
    return dataclasses.replace(facts, training={**facts.training, **changes})


def _card(facts: CardFacts) -> ModelCard:
    return ModelCard(write_card(facts, repo_id="me/tiny", revision=REVISION))
