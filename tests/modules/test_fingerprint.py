from __future__ import annotations

import sys
from pathlib import Path

import pytest

from modules import fingerprint as fingerprints
from modules.fingerprint import fingerprint


def test_transform_depends_on_the_prompts_and_not_on_the_training_code() -> None:
    names = set(fingerprints._sources("modules.preprocessing"))
    assert names == {"modules.preprocessing", "modules.prompts"}


def test_the_trainer_depends_on_everything_that_it_runs() -> None:
    names = set(fingerprints._sources("modules.trainer"))
    assert {
        "modules.dataset",
        "modules.model",
        "modules.prompts",
        "modules.generation",
        "modules.export",
    } <= names


def test_an_edit_changes_the_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "modules"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "leaf.py").write_text("VALUE = 1\n")
    (package / "top.py").write_text("def late():\n    from modules.leaf import VALUE\n    return VALUE\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name == "modules" or name.startswith("modules.")]:
        monkeypatch.delitem(sys.modules, name)
    before = fingerprint("modules.top")
    assert fingerprint("modules.top") == before
    (package / "leaf.py").write_text("VALUE = 2\n")
    assert fingerprint("modules.top") != before


def test_an_unknown_module_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"Received: module='modules\.absent'"):
        fingerprint("modules.absent")
