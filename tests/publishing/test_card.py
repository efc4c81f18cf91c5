from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from tensorflow_metadata.proto.v0 import statistics_pb2

from hub.front_matter import validate
from pipeline.components.hf_pusher.findings import read_statistics
from publishing.card.facts import CardFacts, DataOrigin, Findings, SliceMetrics
from publishing.card.model_card import write_card
from publishing.manifest import PastRevision
from tests.publishing.golden_card import GOLDEN, golden_card
from tests.publishing.publications import REVISION, facts_of


def test_the_front_matter_says_what_the_hub_searches_by(facts: CardFacts) -> None:
    card = _card(facts)

    assert card.data.get("license") == "apache-2.0"
    assert card.data.get("language") == "en"
    assert card.data.get("library_name") == "transformers"
    assert card.data.get("pipeline_tag") == "text-generation"
    assert card.data.get("base_model") is None
    results = {result.metric_name: result.metric_value for result in card.data.get("eval_results") or []}
    assert results == {"loss": 1.5, "token accuracy": 0.75, "exact match": 0.95}


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


@pytest.mark.parametrize(
    ("told", "of_data", "claimed", "words"),
    [
        (
            None,
            "cc-by-nc-4.0",
            "cc-by-nc-4.0",
            "`cc-by-nc-4.0`. It follows from the data that the model was trained on.",
        ),
        ("cc0-1.0", "cc0-1.0", "cc0-1.0", "`cc0-1.0`. It follows from the data that the model was trained on."),
        (
            "mit",
            "cc-by-nc-4.0",
            "mit",
            "`mit`, as its publisher says; the data that the model was trained on are licensed `cc-by-nc-4.0`. That "
            "licence of the data forbids commercial use.",
        ),
        (
            "mit",
            None,
            "mit",
            "`mit`, as its publisher says; the data that the model was trained on came without a licence.",
        ),
        (
            None,
            None,
            None,
            "No licence is claimed: the data that the model was trained on came without one, and its publisher named "
            "none. Ask the publisher before you use the model.",
        ),
    ],
)
def test_a_licence_is_the_data_s_or_the_publishers_or_not_claimed(
    facts: CardFacts, told: str | None, of_data: str | None, claimed: str | None, words: str
) -> None:
    found = Findings(origin=DataOrigin(of_data, ("tatsu-lab/alpaca",), ("alpaca_data.json",)))
    card = _card(dataclasses.replace(facts, license=told, found=found))

    assert card.data.get("license") == claimed
    assert words in " ".join(card.text.split())
    assert card.data.get("datasets") == ["tatsu-lab/alpaca"]
    assert "Made from: alpaca_data.json." in card.text
    assert validate(card.content, "models") == ([], [] if claimed else ['"license" is not given'])


def test_the_model_that_training_started_from_has_a_licence_of_its_own(facts: CardFacts) -> None:
    sentence = "The model that training started from, `gpt2_base_en`, has a licence of its own."
    assert sentence in _card(_with_training(facts, model={"preset": "gpt2_base_en"})).text
    assert "has a licence of its own" not in _card(_with_training(facts, model={"preset": None})).text


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


SLICES = (
    SliceMetrics({}, {"rows": 207, "loss": 0.0712346, "token_accuracy": 0.988}),
    SliceMetrics({"with_input": "yes"}, {"rows": 90, "loss": 0.1, "bits_per_byte": 0.25}),
)


def test_metrics_by_slice_are_in_the_table_and_in_the_hubs_format(facts: CardFacts) -> None:
    card = _card(_with_findings(facts, slices=SLICES))

    assert (
        "| rows of the evaluation split | rows | loss | token accuracy | bits per byte |\n"
        "| --- | ---: | ---: | ---: | ---: |\n"
        "| all | 207 | 0.07123 | 0.988 |  |\n"
        "| with_input=yes | 90 | 0.1 |  | 0.25 |\n"
    ) in card.text
    found = [(r.dataset_config, r.metric_type, r.metric_value) for r in card.data.get("eval_results") or []]
    assert found == [
        (None, "loss", 0.0712346),
        (None, "accuracy", 0.988),
        (None, "exact_match", 0.95),
        ("with_input=yes", "loss", 0.1),
        ("with_input=yes", "bits_per_byte", 0.25),
    ]


def test_the_hub_finds_nothing_wrong_with_the_front_matter(facts: CardFacts) -> None:
    facts = dataclasses.replace(_with_findings(facts, slices=SLICES), datasets=("tatsu-lab/alpaca",))
    assert validate(_card(facts).content, "models") == ([], [])


def test_the_data_are_told_by_rows_lengths_digest_and_what_was_let_through(facts: CardFacts) -> None:
    allowed = "duplicates: 7 % of the rows | repeat an earlier one"
    statistics = read_statistics({"eval": _statistics(10, output=4.0), "train": _statistics(1100, output=12.5)})
    facts = _with_findings(facts, statistics=statistics, allowed_anomalies=(allowed,))
    facts = dataclasses.replace(facts, datasets=("tatsu-lab/alpaca",))
    text = _card(_with_training(facts, provenance={"rows_sha256": {"train": "a" * 64, "eval": "b" * 64}})).text

    assert "Datasets: [tatsu-lab/alpaca](https://huggingface.co/datasets/tatsu-lab/alpaca)." in text
    assert "| train | 1,100 | 12.5 |\n| eval | 10 | 4 |" in text
    assert "- duplicates: 7 % of the rows \\| repeat an earlier one" in text
    assert f"| train | `{'a' * 64}` |\n| eval | `{'b' * 64}` |" in text


def test_run_and_code_are_told(facts: CardFacts) -> None:
    code = {"version": "0.1.0", "modules_sha256": "c" * 64, "git_commit": None}
    text = _card(_with_training(facts, provenance={"run_id": "20261122-022524-710304", "code": code})).text

    assert "- trained in run: `20261122-022524-710304`\n- code, version: `0.1.0`\n" in text
    assert f"- code, sha256 of the training modules: `{'c' * 64}`" in text
    assert "git commit" not in text


def test_earlier_revisions_are_listed_newest_first(facts: CardFacts) -> None:
    history = [PastRevision("v20261120-120000", "1" * 40), PastRevision("v20261119-120000", "2" * 40)]
    card = write_card(facts, repo_id="me/tiny", revision=REVISION, history=history)

    assert (
        "- [`v20261120-120000`](https://huggingface.co/me/tiny/tree/v20261120-120000), commit `111111111111`\n"
        "- [`v20261119-120000`](https://huggingface.co/me/tiny/tree/v20261119-120000), commit `222222222222`\n"
    ) in card
    assert "Earlier revisions" not in _card(facts).text


def test_a_base_model_is_not_said_to_follow_instructions(facts: CardFacts) -> None:
    prompt = facts.prompt | {"kind": "text", "with_input": "{instruction}\n\n{input}", "without_input": "{instruction}"}
    card = _card(dataclasses.replace(facts, prompt=prompt))

    assert "to continue text: it is given the beginning of a document and writes on." in card.text
    assert 'prompt = "Once upon a time"' in card.text
    assert "### Instruction" not in card.text.replace(facts.training["samples"][0]["prompt"], "")
    assert "instruction-following" not in (card.data.get("tags") or [])


def test_a_card_with_all_that_it_can_say_is_byte_for_byte_the_golden_file(facts: CardFacts) -> None:
    """`python -m tests.publishing.golden_card` writes the file anew; read the difference."""
    assert golden_card(facts).encode() == GOLDEN.read_bytes()


@pytest.fixture
def facts(model_folder: Path) -> CardFacts:
    return facts_of(model_folder)


def _with_training(facts: CardFacts, **changes: Any) -> CardFacts:
    return dataclasses.replace(facts, training={**facts.training, **changes})


def _with_findings(facts: CardFacts, **found: Any) -> CardFacts:
    return dataclasses.replace(facts, found=Findings(**found))


def _statistics(rows: int, *, output: float) -> bytes:
    """What StatisticsGen writes about a split with one text column."""
    statistics = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = statistics.datasets.add(num_examples=rows)
    feature = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.STRING)
    feature.path.step.append("output")
    feature.string_stats.avg_length = output
    return bytes(statistics.SerializeToString())


def _card(facts: CardFacts) -> ModelCard:
    return ModelCard(write_card(facts, repo_id="me/tiny", revision=REVISION))
