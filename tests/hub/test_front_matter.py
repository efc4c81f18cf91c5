from __future__ import annotations

import pytest

from hub.card_rules import MISSING
from hub.front_matter import metadata, split_card, validate

MODEL = """---
language: en
license: apache-2.0
library_name: keras-hub
pipeline_tag: text-generation
base_model: openai-community/gpt2
datasets: [tatsu-lab/alpaca]
tags:
- alpaca
model-index:
- name: gpt2-alpaca
  results:
  - task: {type: text-generation}
    dataset: {type: tatsu-lab/alpaca, name: Alpaca}
    metrics:
    - {type: loss, value: 1.5}
---
# Title
"""
SPACE = """---
title: Chat
emoji: 🦙
colorFrom: blue
colorTo: green
sdk: gradio
sdk_version: 6.31.0
python_version: "3.11"
app_file: app.py
models: [local/model]
license: apache-2.0
---
"""


def card(*lines: str) -> str:
    return "\n".join(["---", *lines, "---", ""])


def test_a_good_card_has_no_problems() -> None:
    assert validate(MODEL, "models") == ([], [])
    assert validate(SPACE, "spaces") == ([], [])
    assert metadata(MODEL)["model-index"][0]["results"][0]["metrics"] == [{"type": "loss", "value": 1.5}]
    assert split_card(MODEL)[1] == "# Title\n"


def test_a_card_without_metadata_is_a_warning_for_a_model_and_an_error_for_a_space() -> None:
    assert validate("# Title\n", "models") == ([], [MISSING])
    assert validate("", "models") == ([], [MISSING])
    assert validate("# Title\n", "spaces") == ([MISSING], [])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["license: [mit", "x: 1"], "The front matter is not valid YAML: "),
        (["license: mit", "license: mit"], "line 2 gives the key 'license' again"),
        (["a: &a [x]", "b: *a"], "aliases (*name) are not allowed"),
        (["when: 2026-13-45"], "The front matter is not valid YAML: "),
        (["x: !!int ''"], "The front matter is not valid YAML: "),
        (["x: !!python/object/apply:os.system ['true']"], "could not determine a constructor"),
        (["- a", "- b"], "The front matter is a mapping of names to values. Received: list"),
        (["just text"], "The front matter is a mapping of names to values. Received: str"),
        (["license: MIT"], '"license" must be one of ['),
        (["license: 2"], '"license" must be one of ['),
        (["license: mit", "language: English"], '"language" must be an ISO 639 code'),
        (["license: mit", "language: no"], "(no must be quoted). Received: False"),
        (["license: mit", "tags: alpaca"], "\"tags\" must be a list. Received: 'alpaca'"),
        (["license: mit", "tags: [1]"], '"tags" has an item that must be a string. Received: 1'),
        (
            ["license: mit", "base_model: a/b/c"],
            '"base_model" must be a repository id such as namespace/name',
        ),
        (["license: mit", "pipeline_tag: Text Generation"], '"pipeline_tag" must be a task'),
        (["license: mit", "library_name: 7"], '"library_name" must be a string. Received: 7'),
        (["license: mit", "model-index: [{results: []}]"], '"model-index" has an entry without a name'),
        (
            ["license: mit", "model-index: [{name: a, results: [{task: {type: t}}]}]"],
            '"model-index" has a result whose dataset lacks type or name for a',
        ),
    ],
)
def test_a_bad_model_card_is_refused_with_the_reason(lines: list[str], message: str) -> None:
    errors, _ = validate(card(*lines), "models")
    assert len(errors) == 1
    assert message in errors[0]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sdk: flask", "\"sdk\" must be one of [docker, gradio, static, streamlit]. Received: 'flask'"),
        ("sdk_version: 6.3", '"sdk_version" must be a quoted version such as "6.31.0". Received: 6.3'),
        ("colorFrom: beige", '"colorFrom" must be one of ['),
        ("app_port: 70000", '"app_port" must be a port from 1 to 65535. Received: 70000'),
        ("app_port: yes", '"app_port" must be a port from 1 to 65535. Received: True'),
        ("app_file: ../app.py", '"app_file" must be a path inside the repository'),
        ("pinned: maybe", '"pinned" must be true or false'),
        ("python_version: three", '"python_version" must be a version such as 3.11'),
        (f"short_description: {'x' * 61}", '"short_description" must be a string of at most 60 characters'),
    ],
)
def test_a_bad_space_card_is_refused_with_the_reason(line: str, message: str) -> None:
    lines = ["title: Chat", *([] if line.startswith("sdk:") else ["sdk: gradio"]), line]
    errors, _ = validate(card(*lines), "spaces")
    assert len(errors) == 1
    assert message in errors[0]


def test_all_problems_are_reported_together() -> None:
    errors, warnings = validate(card("license: MIT", "tags: x", "language: English"), "models")
    assert len(errors) == 3
    assert warnings == []
    errors, _ = validate(card("title: Chat"), "spaces")
    assert errors == ['"sdk" is required in the card of a Space']


def test_doubtful_values_are_warned_about() -> None:
    assert validate(card("tags: [a]"), "models") == ([], ['"license" is not given'])
    assert validate(card("license: other"), "models")[1][0].startswith('"license_name" should name')
    assert validate(card("sdk: gradio", "python_version: 3.10"), "spaces")[1] == [
        '"python_version" should be quoted, since YAML reads 3.10 as 3.1'
    ]


def test_front_matter_that_is_never_closed_is_an_error() -> None:
    errors, _ = validate("---\nlicense: mit\n# Title\n", "models")
    assert errors == ["The front matter opened by '---' in the first line is never closed by another '---'."]


def test_metadata_is_plain_json_whatever_the_card_says() -> None:
    values = metadata(card("a: .nan", "b: 2026-11-21", "c: 0x" + "f" * 9000, "1: [~, yes]", "d: !!binary aGk="))
    assert values == {"a": None, "b": "2026-11-21", "c": None, "1": [None, True], "d": "hi"}
    assert metadata(card("a: " + "[" * 5000)) == {}
    assert metadata(card("license: [mit")) == {}
    assert metadata("no card") == {}
