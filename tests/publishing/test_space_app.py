from __future__ import annotations

import importlib.util
import itertools
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import ctranslate2
import gradio as gr
import pytest

from modules.prompts import ALPACA
from publishing.card.model_card import write_card
from publishing.space_template import read_template, render
from tests.publishing.publications import TEMPLATE, facts_of
from tests.publishing.tiny_model import ANSWER, CONTEXT_LENGTH, END_TOKEN, write_model

VALUES = {
    "MODEL_REPO_ID": "me/tiny",
    "MODEL_REPO_URL": "https://hub/me/tiny",
    "MODEL_VERSION": "v1",
    "SHA": "a" * 40,
}
ORDINARY = ["What is the capital of France?", "", " ", "x"]
INPUTS = [
    "",
    " \t\r\n\f\v",
    "word",
    "\u00a0",
    "\u2003",
    "a {b} {instruction} $c",
    f"a{END_TOKEN}b",
    "ü😀\n\n### Response:\n",
]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The rendered app.py, imported from a folder of its own with the files beside it."""
    folder = tmp_path_factory.mktemp("space")
    for path, content in render(read_template(TEMPLATE), VALUES).items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location("rendered_space_app", folder / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def load(app: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Loads a tiny model laid out as the app downloads it."""

    def load(*, chained: bool = True) -> Any:
        model = write_model(tmp_path_factory.mktemp("model"), chained=chained)
        exports = model / "exports"
        folder = tmp_path_factory.mktemp("download")
        shutil.copytree(exports / "ctranslate2", folder / "ctranslate2")
        shutil.copy(exports / "transformers" / "tokenizer.json", folder)
        shutil.copy(exports / "prompt.json", folder)
        shutil.copy(exports / "training.json", folder)
        facts = replace(facts_of(model), datasets=("me/rows",))
        (folder / "README.md").write_text(write_card(facts, repo_id="me/tiny", revision="v1"))
        return app.Assistant(folder)

    return load


@pytest.fixture(scope="module")
def assistant(load: Callable[..., Any]) -> Any:
    return load()


@pytest.fixture(scope="module")
def faint(load: Callable[..., Any]) -> Any:
    """A model without preferences, where sampling decides."""
    return load(chained=False)


@pytest.mark.parametrize(("instruction", "input_text"), list(itertools.product([*ORDINARY, *INPUTS], INPUTS)))
def test_the_prompt_has_the_very_bytes_of_training(
    app: ModuleType, tmp_path: Path, instruction: str, input_text: str
) -> None:
    file = tmp_path / "prompt.json"
    file.write_text(json.dumps(ALPACA.spec(kind="instructions") | {"context_length": 64}))

    rendered = app.PromptFormat.read(file).prompt(instruction, input_text)

    assert rendered.encode() == ALPACA.format(instruction, input_text).encode()


def test_the_answer_grows_token_by_token_and_ends_by_itself(app: ModuleType, assistant: Any) -> None:
    parts = list(app.answer(assistant, "What is the capital of France?"))

    assert parts[-1] == ANSWER
    assert len(parts) > 2
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(parts))
    assert not any("\ufffd" in part for part in parts)


def test_the_input_does_not_disturb_the_answer(app: ModuleType, assistant: Any) -> None:
    assert list(app.answer(assistant, "Capital", "France"))[-1] == ANSWER


def test_the_length_limit_is_kept(app: ModuleType, assistant: Any) -> None:
    parts = list(app.answer(assistant, "Capital?", max_new_tokens=2))
    assert len(parts) == 2
    assert ANSWER.startswith(parts[-1])


def test_a_seed_repeats_an_answer_and_another_seed_gives_another(app: ModuleType, faint: Any) -> None:
    def sampled(seed: str) -> str:
        return str(list(app.answer(faint, "Say anything", temperature=1.0, max_new_tokens=20, seed=seed))[-1])

    assert sampled("7") == sampled("7")
    assert len({sampled("7"), sampled("8"), sampled("9")}) == 3
    assert len({sampled(" ") for _ in range(3)}) == 3


def test_answers_grow_side_by_side_and_a_seeded_one_is_what_it_is_alone(app: ModuleType, faint: Any) -> None:
    def started(seed: str) -> Any:
        return app.answer(faint, "Say anything", temperature=1.0, max_new_tokens=20, seed=seed)

    alone = list(started("7"))
    running = [started(seed) for seed in ("7", "", "8", "7")]
    firsts = [next(one) for one in running]
    whole = [[first, *rest][-1] for first, rest in zip(firsts, running, strict=True)]

    assert whole[0] == whole[3] == alone[-1]
    assert len(set(whole)) == 3


def test_temperature_zero_needs_no_seed_to_repeat(app: ModuleType, faint: Any) -> None:
    answers = [list(app.answer(faint, "Say anything", temperature=0, max_new_tokens=20))[-1] for _ in range(2)]
    assert answers[0] == answers[1]


def test_a_long_prompt_keeps_its_end_and_room_for_the_answer(app: ModuleType, assistant: Any) -> None:
    prompt = assistant.format.prompt("word " * 100)
    tokens, cut = assistant.encode(prompt, max_new_tokens=24)
    whole, none_cut = assistant.encode(prompt, max_new_tokens=24 - 10**6)

    assert len(tokens) == CONTEXT_LENGTH - 24
    assert (tokens, none_cut) == (whole[-len(tokens) :], 0)
    assert cut == len(whole) - len(tokens)
    assert list(app.answer(assistant, "word " * 100))[-1] == ANSWER


@pytest.mark.parametrize(
    ("instruction", "input_text", "message"),
    [
        ("", "", "Please write an instruction first."),
        (" \n", "something", "Please write an instruction first."),
        ("a" * 5000, "b" * 5000, "Please keep instruction and input below 8000 characters."),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_sentence(
    app: ModuleType, assistant: Any, instruction: str, input_text: str, message: str
) -> None:
    with pytest.raises(app.UnanswerableError, match=message):
        list(app.answer(assistant, instruction, input_text))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (24, 0.0, 0, 1.0)),
        ({"max_new_tokens": 10**9}, (32, 0.0, 0, 1.0)),
        (
            {"max_new_tokens": -3, "temperature": -1, "top_k": -2, "top_p": -1},
            (1, 0.0, 0, 0.01),
        ),
        ({"temperature": 0.5, "top_k": 5.0, "top_p": 7}, (24, 0.5, 5, 1.0)),
    ],
)
def test_decoding_options_are_brought_into_range(
    app: ModuleType, assistant: Any, given: dict[str, float], expected: tuple[Any, ...]
) -> None:
    fields = dict.fromkeys(("max_new_tokens", "temperature", "top_k", "top_p"))
    decoding = app.decoding_of(assistant.format, fields | given)
    assert (decoding.max_new_tokens, decoding.temperature, decoding.top_k, decoding.top_p) == expected


@pytest.mark.parametrize("text", ["-1", "1.5", "x", "²", "4294967295"])
def test_a_seed_that_is_no_whole_number_is_refused(app: ModuleType, text: str) -> None:
    with pytest.raises(app.UnanswerableError, match="seed from 0 to 4294967294"):
        app.seed_of(text)


def test_a_visitor_may_ask_so_many_questions_a_minute_and_others_are_not_held_up(app: ModuleType) -> None:
    moment = [100.0]
    limit = app.RateLimit(2, clock=lambda: moment[0])
    limit.ask("ann")
    moment[0] += 20
    limit.ask("ann")
    limit.ask("ben")

    with pytest.raises(app.UnanswerableError, match=r"asked 2 questions within a minute.* Please wait 40 seconds"):
        limit.ask("ann")
    moment[0] += 40
    limit.ask("ann")
    with pytest.raises(app.UnanswerableError, match="Please wait 20 seconds"):
        limit.ask("ann")


def test_visitors_who_left_are_forgotten(app: ModuleType) -> None:
    moment = [0.0]
    limit = app.RateLimit(1, clock=lambda: moment[0])
    for number in range(100):
        limit.ask(f"visitor {number}")
    moment[0] = 61
    limit.ask("somebody else")
    assert list(limit._asked) == ["somebody else"]


def test_an_answer_that_is_broken_off_leaves_the_model_usable(app: ModuleType, assistant: Any) -> None:
    started = app.answer(assistant, "Capital?")
    next(started)
    started.close()
    assert list(app.answer(assistant, "Capital?"))[-1] == ANSWER


def test_the_page_builds_and_shows_what_it_runs_on(app: ModuleType, assistant: Any) -> None:
    page = app.build_page(assistant)
    texts = [block.value for block in page.blocks.values() if isinstance(block, gr.Markdown)]
    assert any("[me/tiny](https://hub/me/tiny)" in text and "`v1`" in text and "a" * 12 in text for text in texts)
    assert any(
        "A language model of 123,456 parameters, trained from scratch on 100 instructions with answers of "
        "[me/rows](https://huggingface.co/datasets/me/rows)." in text
        for text in texts
    )
    assert any("licence `apache-2.0`" in text for text in texts)
    assert assistant.arithmetic.sentence() in texts
    labels = {getattr(block, "label", None) for block in page.blocks.values()}
    assert {"Input (optional)", "Longest answer", "Temperature", "Top-k", "Top-p", "Seed"} <= labels


def test_the_examples_are_short_rows_of_the_models_own_data_each_with_another_instruction(assistant: Any) -> None:
    assert assistant.about.examples == (
        ("What is the capital of France?", ""),
        ("Sort these words alphabetically.", "peach, apple, lemon"),
        ("Is this word a noun or a verb?", "river"),
    )


def test_the_arithmetic_is_what_ctranslate2_says_of_the_loaded_model(app: ModuleType, assistant: Any) -> None:
    found = assistant.arithmetic
    assert found.compute_type == assistant.model._generator.compute_type == "float32"
    assert found.instruction_set in ("GENERIC", "AVX", "AVX2", "AVX512", "NEON")
    assert {found.byte_products, found.float_products} <= {"MKL", "oneDNN", "none"}
    assert found.sentence() == (
        f"Answers are computed in float32 by CTranslate2 {ctranslate2.__version__} with {found.instruction_set} "
        f"instructions; {found.float_products} multiplies matrices."
    )


def test_the_arithmetic_follows_what_ctranslate2_was_told(
    assistant: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CT2_FORCE_CPU_ISA", "GENERIC")
    folder = assistant.model.files.generator
    arithmetic = importlib.import_module("answering.arithmetic").Arithmetic
    assert arithmetic.of(assistant.model._generator, folder).instruction_set == "GENERIC"
    mixed = arithmetic("int8_float32", "AVX2", "oneDNN", "MKL")
    assert "; oneDNN multiplies 8-bit matrices, MKL the others." in mixed.sentence()


def test_programs_call_it_by_the_names_of_its_parameters(app: ModuleType, assistant: Any) -> None:
    described = app.build_page(assistant).get_api_info()["named_endpoints"]

    assert list(described) == ["/answer"]
    parameters = described["/answer"]["parameters"]
    names = ("instruction", "input", "max_new_tokens", "temperature", "top_k", "top_p", "seed")
    assert tuple(parameter["parameter_name"] for parameter in parameters) == names
    assert [parameter["parameter_name"] for parameter in parameters if not parameter["parameter_has_default"]] == [
        "instruction"
    ]


def test_a_program_is_told_what_is_wrong_by_an_error(app: ModuleType, assistant: Any) -> None:
    call = app.answer_with(assistant, app.RateLimit(10))
    visitor = gr.Request(client=None)

    assert list(call(visitor, "Capital?", seed=7))[-1] == ANSWER
    with pytest.raises(gr.Error, match="Please write an instruction first"):
        list(call(visitor, " "))


@pytest.mark.parametrize("text", ["<b>&amp; x</b>", "  two\n    lines", ""])
def test_a_text_comes_back_from_the_chat_as_it_went_in(app: ModuleType, text: str) -> None:
    chat = app.chat_window()
    shown = chat.postprocess([{"role": "user", "content": text}])

    assert "<" not in shown.root[0].content[0].text
    assert chat.preprocess(shown)[0]["content"] == [{"type": "text", "text": text}]
    assert chat.get_block_name() == "chatbot"
