from __future__ import annotations

from pathlib import Path

import pytest

from modules import fingerprint as fingerprints
from modules.fingerprint import fingerprint


def test_transform_depends_on_the_prompts_and_not_on_the_training_code() -> None:
    names = set(fingerprints._sources("modules.preprocessing"))
    assert names == {"modules.preprocessing", "modules.text", "modules.text.prompts"}


def test_the_trainer_depends_on_everything_that_it_runs() -> None:
    names = set(fingerprints._sources("modules.trainer"))
    assert {
        "modules.batches.dataset",
        "modules.network.model",
        "modules.text.prompts",
        "modules.serving.generation",
        "modules.serving.export",
    } <= names


@pytest.mark.parametrize("line", ["from modules.deep.leaf import VALUE", "from modules.deep import leaf"])
def test_an_edit_changes_the_fingerprint(tmp_path: Path, line: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/__init__.py").touch()
    (tmp_path / "deep/leaf.py").write_text("VALUE = 1\n")
    (tmp_path / "top.py").write_text(f"def late():\n    {line}\n")
    before = fingerprint("modules.top", folder=tmp_path)
    assert fingerprint("modules.top", folder=tmp_path) == before
    (tmp_path / "deep/leaf.py").write_text("VALUE = 2\n")
    assert fingerprint("modules.top", folder=tmp_path) != before


def test_an_unknown_module_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"Received: module='modules\.absent'"):
        fingerprint("modules.absent")
