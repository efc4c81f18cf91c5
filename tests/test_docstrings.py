"""Docstrings begin with what their function does, or with what their class or module is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
FOLDERS = ("benchmarks", "data", "hub", "modules", "pipeline", "publishing", "serving")
QUESTIONS = {"What", "Which", "Whether", "Where", "How", "Who", "When", "Why"}
ARTICLES = {"The", "A", "An"}

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module


def documented(path: Path) -> Iterator[tuple[Documented, str]]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, Documented) and (text := ast.get_docstring(node)):
            yield node, text


def first_word(text: str) -> str:
    return re.split(r"\W", text, maxsplit=1)[0]


def badly_begun(path: Path) -> Iterator[str]:
    for node, text in documented(path):
        wrong = QUESTIONS if isinstance(node, ast.ClassDef | ast.Module) else QUESTIONS | ARTICLES
        if first_word(text) in wrong:
            yield f"{path.relative_to(REPOSITORY)}:{node.body[0].lineno}: {text.splitlines()[0]}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_docstring_begins_with_a_question_and_no_functions_with_an_article(folder: str) -> None:
    paths = sorted((REPOSITORY / folder).rglob("*.py"))
    assert paths != []
    assert [line for path in paths for line in badly_begun(path)] == []
