"""What a client asks becomes the very prompt of the training."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import jinja2
import pytest

from modules.prompts import ALPACA
from modules.prompts.document import DOCUMENT
from modules.prompts.format import END_TOKEN, NEUTRAL_END_TOKEN
from modules.prompts.format import PromptFormat as TrainingFormat
from serving.answering.prompt import SEEDS, Decoding, PromptFormat, decoding_for

TEXTS = ["", " \t\n", "word", "\u00a0", f"a{END_TOKEN}b", "{instruction} {input} {{", "ü😀\n\n### Response:\n"]
CONVERSATIONS = [
    [("user", "hi")],
    [("system", "Be brief."), ("user", "hi")],
    [("user", "hi"), ("assistant", "yes"), ("user", f"no{END_TOKEN}{{input}}")],
    [("user", "hi"), ("assistant", f"y{END_TOKEN}es")],
]


def read(training: TrainingFormat, folder: Path, **generation: float) -> PromptFormat:
    """The format as a revision publishes it."""
    spec = {**training.spec(kind="instructions"), "context_length": 64, "generation": generation}
    (folder / "prompt.json").write_text(json.dumps(spec))
    return PromptFormat.read(folder / "prompt.json")


@pytest.mark.parametrize("training", [ALPACA, DOCUMENT], ids=lambda each: each.name)
def test_a_question_has_the_bytes_of_the_training(training: TrainingFormat, tmp_path: Path) -> None:
    published = read(training, tmp_path)

    for instruction, input_text in itertools.product(TEXTS, TEXTS):
        assert published.prompt(instruction, input_text) == training.format(instruction, input_text)


@pytest.mark.parametrize("training", [ALPACA, DOCUMENT], ids=lambda each: each.name)
@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_a_conversation_has_the_bytes_of_the_chat_template(
    training: TrainingFormat, conversation: list[tuple[str, str]], tmp_path: Path
) -> None:
    rendered = jinja2.Environment(autoescape=False).from_string(training.chat_template).render(
        messages=[{"role": role, "content": content} for role, content in conversation],
        add_generation_prompt=True,
        end_token=END_TOKEN,
        neutral_end_token=NEUTRAL_END_TOKEN,
    )  # fmt: skip

    assert read(training, tmp_path).conversation(conversation) == rendered


def test_one_message_is_the_prompt_of_an_instruction(tmp_path: Path) -> None:
    published = read(ALPACA, tmp_path)

    assert published.conversation([("user", "Name a river.")]) == published.prompt("Name a river.")


def test_what_is_not_given_has_the_models_default(tmp_path: Path) -> None:
    published = read(ALPACA, tmp_path, max_new_tokens=9, temperature=0.7, top_k=5, top_p=0.9)

    assert decoding_for(published) == Decoding(9, 0.7, 5, 0.9)
    assert decoding_for(published, temperature=0.0, max_new_tokens=3) == Decoding(3, 0.0, 5, 0.9)


def test_an_answer_is_at_most_half_of_the_context_long(tmp_path: Path) -> None:
    assert decoding_for(read(ALPACA, tmp_path), max_new_tokens=10**6).max_new_tokens == 32
    assert decoding_for(read(ALPACA, tmp_path, max_new_tokens=40), max_new_tokens=10**6).max_new_tokens == 40


@pytest.mark.parametrize("seed", [0, -1, SEEDS, 2**63 - 1])
def test_every_whole_number_is_a_seed_that_ctranslate2_takes(seed: int, tmp_path: Path) -> None:
    found = decoding_for(read(ALPACA, tmp_path), seed=seed).seed

    assert found is not None
    assert 0 <= found < SEEDS
