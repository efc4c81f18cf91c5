"""What documentation, settings and module docstrings name is there: make targets, and the markers of tests."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGET = re.compile(r"^([a-z][a-z0-9-]*):", re.MULTILINE)
# In backticks, or as a line of a console session.
NAMED = re.compile(r"(?:`|\$ |``)make ([a-z][a-z0-9-]*)")
SOURCES = ("pipeline", "modules", "data", "hub", "serving", "space", "benchmarks", "docs", "tests")


def texts() -> list[Path]:
    found = [
        path for folder in SOURCES for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".md", ".toml")
    ]
    return [*found, *ROOT.glob("*.md"), *ROOT.glob("*.toml"), *ROOT.glob("*.py")]


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    named = {(name, path) for path in texts() for name in NAMED.findall(path.read_text(encoding="utf-8"))}

    assert len(named) > 20
    assert {(name, str(path.relative_to(ROOT))) for name, path in named if name not in targets} == set()


def test_every_marker_marks_a_test() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))

    markers = [marker.partition(":")[0] for marker in settings["markers"]]
    assert [marker for marker in markers if f"pytest.mark.{marker}" not in sources] == []
