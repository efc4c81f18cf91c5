"""The pages in docs/: links lead somewhere, settings and flags exist, quoted messages are the project's own."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from data.prepare.__main__ import parse
from pipeline.config.sources import field_names, load_config
from publishing.exports import EXPORTS, Export

ROOT = Path(__file__).parents[1]
PAGES = {path.name: path for path in sorted((ROOT / "docs").glob("*.md"))}
GUIDES = sorted(PAGES.keys() - {"run-log.md"})  # it keeps what was run, as it was called then
TEXTS = {name: PAGES[name].read_text(encoding="utf-8") for name in GUIDES}
LARGEST_PICTURE = 200_000  # bytes
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
MESSAGES = re.compile(r"^### (.+)$", re.MULTILINE)
GROUPS = sorted({name.split(".")[0] for name in field_names() if "." in name})
FILES = {"training.json", "model.sig"}  # whose names look like a setting's
SETTING = re.compile(rf"`({'|'.join(GROUPS)})\.([a-z_0-9]+)`")
FLAG = re.compile(rf"--((?:{'|'.join(GROUPS)})\.[a-z0-9-]+)")
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
# Headings of docs/troubleshooting.md that are no message.
SITUATIONS = {"The run ended well, but nothing was published"}


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = HEADING.findall(path.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(beginning: str) -> list[tuple[str, str]]:
    """Page and command of every line in a console session that begins so."""
    lines = [
        (page, re.sub(r"\s+# .*", "", line).removeprefix("$ "))
        for page, text in TEXTS.items()
        for block in CONSOLE.findall(text)
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("$ ")
    ]
    return [(page, line) for page, line in lines if line.startswith(beginning)]


@pytest.mark.parametrize("path", [*PAGES.values(), ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda p: p.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in LINK.findall(path.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_the_index_names_every_page() -> None:
    linked = set(LINK.findall(TEXTS["index.md"]))
    assert PAGES.keys() - {"index.md"} <= linked


def test_every_setting_that_a_page_names_exists() -> None:
    named = {".".join(match) for text in TEXTS.values() for match in SETTING.findall(text)} - FILES
    assert len(named) > 50
    assert named - set(field_names()) == set()


def test_every_flag_that_a_page_names_exists() -> None:
    named = {flag.replace("-", "_") for text in TEXTS.values() for flag in FLAG.findall(text)}
    assert len(named) > 50
    assert named - set(field_names()) == set()


@pytest.mark.parametrize(("page", "command"), commands("make run"))
def test_the_flags_of_every_run_are_accepted(page: str, command: str) -> None:
    arguments = dict(part.split("=", 1) for part in shlex.split(command) if "=" in part)
    load_config(shlex.split(arguments.get("ARGS", "")), {})


@pytest.mark.parametrize(("page", "command"), commands(".venv/bin/python -m data.prepare"))
def test_the_flags_of_every_data_command_are_accepted(page: str, command: str) -> None:
    parse(shlex.split(command)[3:])


@pytest.mark.parametrize("export", EXPORTS.values(), ids=lambda export: export.name)
def test_every_exported_form_is_listed_with_its_folder(export: Export) -> None:
    (row,) = [line for line in TEXTS["serving.md"].splitlines() if line.startswith(f"| `{export.name}` |")]
    assert (f"`{export.revision_folder}/`" if export.revision_folder else "the repository's root") in row


def test_every_message_of_the_troubleshooting_page_is_one_of_the_projects() -> None:
    messages = [text for text in MESSAGES.findall(TEXTS["troubleshooting.md"]) if text not in SITUATIONS]
    known = project_texts()
    assert len(messages) > 20
    assert [text for text in messages if not any(is_in(text, message) for message in known)] == []


def is_in(quoted: str, message: str) -> bool:
    """Whether a message holds what is quoted of it; `…` stands for anything."""
    pattern = ".*".join(re.escape(part) for part in quoted.split("…"))
    return re.search(pattern, message, re.DOTALL) is not None


def project_texts() -> set[str]:
    """Every text in the code, with `…` for what is filled in."""
    folders = ("pipeline", "modules", "publishing", "data", "hub", "serving", "space")
    files = [*(path for folder in folders for path in (ROOT / folder).rglob("*.py")), ROOT / "bootstrap.py"]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    filled = {text_of(node) for node in nodes if isinstance(node, ast.JoinedStr)}
    return filled | {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def text_of(node: ast.JoinedStr) -> str:
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)


@pytest.mark.parametrize("picture", sorted((ROOT / "docs/pictures").glob("*")), ids=lambda picture: picture.name)
def test_pictures_are_small_and_shown(picture: Path) -> None:
    assert picture.stat().st_size <= LARGEST_PICTURE
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = [f"]({(picture.relative_to(page.parent))})" in page.read_text(encoding="utf-8") for page in pages]
    assert any(shown)
