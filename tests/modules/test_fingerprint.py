"""A fingerprint covers what is imported, wherever the import stands, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.fingerprint import covered_sources, fingerprint


def project(folder: Path, **sources: str) -> Path:
    """A project with these modules, `__` for each dot."""
    for name, source in sources.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    for package in {path.parent for path in folder.rglob("*.py")}:
        (package / "__init__.py").touch()
    return folder


def test_transform_depends_on_the_prompts_and_not_on_the_training_code() -> None:
    names = covered_sources("modules.preprocessing").keys()
    formats = {"modules.prompts", *(f"modules.prompts.{name}" for name in ("alpaca", "document", "format"))}
    settings = {"modules.settings", "modules.settings.rows", "modules.settings.types"}
    assert names == {"modules", "modules.preprocessing", "modules.registry", *formats, *settings}


def test_the_trainer_depends_on_everything_that_it_runs() -> None:
    names = covered_sources("modules.trainer").keys()
    assert {
        "modules.training.dataset",
        "modules.models.training_model",
        "modules.prompts.format",
        "modules.serving.generation",
        "modules.exports.transformers",
    } <= names


@pytest.mark.parametrize(
    "source",
    [
        "from data.deep.leaf import VALUE",
        "from data.deep import leaf",
        "import data.deep.leaf",
        "def late():\n    from data.deep import leaf",
        "if late:\n    pass\nelse:\n    import data.deep.leaf",
        "from ..data.deep import leaf",
        "from .near import VALUE",
        "from . import near",
        "PROCESS = 'data.deep.leaf'  # for python -m",
    ],
)
def test_an_edit_of_what_is_imported_changes_the_fingerprint(tmp_path: Path, source: str) -> None:
    place = project(
        tmp_path, data__deep__leaf="VALUE = 1\n", modules__near="import data.deep.leaf", modules__top=source
    )
    before = fingerprint("modules.top", project=place)
    (place / "data/deep/leaf.py").write_text("VALUE = 2\n", encoding="utf-8")
    assert fingerprint("modules.top", project=place) != before


def test_a_package_that_a_module_lies_in_counts(tmp_path: Path) -> None:
    place = project(tmp_path, data__deep__leaf="VALUE = 1\n", modules__top="import data.deep.leaf")
    before = fingerprint("modules.top", project=place)
    (place / "data/deep/__init__.py").write_text("SETTING = 1\n", encoding="utf-8")
    assert fingerprint("modules.top", project=place) != before


@pytest.mark.parametrize(
    "source",
    [
        "import json",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import data.deep.leaf",
        "TITLE = 'about data.deep.leaf'",
    ],
)
def test_an_edit_of_what_is_not_imported_changes_nothing(tmp_path: Path, source: str) -> None:
    place = project(tmp_path, data__deep__leaf="VALUE = 1\n", modules__top=source)
    before = fingerprint("modules.top", project=place)
    (place / "data/deep/leaf.py").write_text("VALUE = 2\n", encoding="utf-8")
    assert fingerprint("modules.top", project=place) == before


def test_the_fingerprint_is_the_same_wherever_the_project_lies(tmp_path: Path) -> None:
    sources = {"data__leaf": "VALUE = 1\n", "modules__top": "import data.leaf"}
    places = [project(tmp_path / name, **sources) for name in ("here", "there")]
    assert fingerprint("modules.top", project=places[0]) == fingerprint("modules.top", project=places[1])


def test_several_modules_are_covered_together(tmp_path: Path) -> None:
    place = project(tmp_path, modules__one="ONE = 1", modules__two="TWO = 2")
    assert covered_sources("modules.one", "modules.two", project=place).keys() == {
        "modules", "modules.one", "modules.two"
    }  # fmt: skip


@pytest.mark.parametrize("module", ["modules.absent", "json"])
def test_an_unknown_module_is_named(module: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=rf"Received: module='{module}'"):
        fingerprint(module)
