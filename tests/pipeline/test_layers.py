"""Imports go one way, and importing does nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.import_graph import REPOSITORY, import_cycles, import_graph, imported_names

RUNNERS = ("local_runner", "kubeflow_runner")
# Which of the project's packages each may import.
ALLOWED = {
    "local_runner": {"pipeline"},
    "kubeflow_runner": {"pipeline"},
    "pipeline": {"pipeline", "publishing", "modules", "data", "hub"},
    "publishing": {"publishing", "hub"},
    "modules": {"modules", "publishing"},
    "data": {"data"},
    "hub": {"hub"},
    "serving": {"serving", "publishing"},
    "space": set[str](),
}
# Which of each other the folders of modules/ may import; its own files may import all of them.
ALLOWED_IN_MODULES = {
    "prompts": set[str](),
    "settings": {"prompts"},
    "models": {"prompts", "settings"},
    "training": {"prompts", "settings", "models"},
    "serving": {"prompts", "settings", "models"},
    "proving": {"prompts", "settings", "models"},
    "exports": {"prompts", "settings", "models", "serving", "proving"},
}
# Packages that only what runs inside TFX may import at its top.
HEAVY = ("tensorflow", "tfx", "keras", "keras_hub", "apache_beam", "ml_metadata", "torch", "jax", "gradio")
NOT_FOR_PUBLISHING = {*HEAVY, "tensorflow_metadata", "tfx_bsl", "kfp"}
LIGHT = (
    "data",
    "hub",
    "kubeflow_runner",
    "local_runner",
    "pipeline.config",
    "pipeline.config.sources",
    "pipeline.preflight",
    "pipeline.local.command",
    "publishing.__main__",
    "publishing.publisher",
    "publishing.settings",
    "serving.__main__",
    "serving.generate",
)


def sources(package: str) -> list[Path]:
    if package in RUNNERS:
        return [REPOSITORY / f"{package}.py"]
    return sorted((REPOSITORY / package).rglob("*.py"))


def imported_packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported_names(path)}


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_go_one_way(package: str) -> None:
    assert sources(package) != []
    for path in sources(package):
        ours = imported_packages(path) & ALLOWED.keys()
        assert ours <= ALLOWED[package], f"{path.relative_to(REPOSITORY)} imports {ours - ALLOWED[package]}"


def test_folders_of_modules_import_one_way() -> None:
    folders = {path.name for path in (REPOSITORY / "modules").iterdir() if (path / "__init__.py").exists()}
    assert folders == ALLOWED_IN_MODULES.keys()
    for folder in sorted(folders):
        for path in sources(f"modules/{folder}"):
            parts = [name.split(".") for name in imported_names(path) if name.startswith("modules.")]
            others = {part[1] for part in parts} & folders - {folder}
            assert others <= ALLOWED_IN_MODULES[folder], f"{path.relative_to(REPOSITORY)} imports {others}"


def test_publishing_knows_nothing_of_tfx_and_tensorflow() -> None:
    for path in sources("publishing"):
        assert imported_packages(path) & NOT_FOR_PUBLISHING == set(), path.relative_to(REPOSITORY)


def test_serving_knows_nothing_of_training_and_what_it_needs() -> None:
    for path in sources("serving"):
        assert imported_packages(path) & NOT_FOR_PUBLISHING == set(), path.relative_to(REPOSITORY)


def test_what_asks_a_model_can_be_lifted_out_and_knows_nothing_of_http() -> None:
    for path in sources("serving/answering"):
        ours = {name for name in imported_names(path) if name.partition(".")[0] in ALLOWED}
        assert {name for name in ours if not name.startswith("serving.answering")} == set(), path
        assert imported_packages(path) & {"fastapi", "starlette", "uvicorn"} == set(), path


def test_modules_know_nothing_of_orchestration() -> None:
    for path in sources("modules"):
        found = {name.partition(".")[0] for name in imported_names(path, for_type_checkers=False)}
        # TFX's Tuner wants its own kind of result back: made in the entry point, and nowhere else.
        known = {"tfx"} if path.name == "tuning.py" else set[str]()
        assert found & {"tfx", "kfp", "ml_metadata"} <= known, path


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = import_graph([path for package in ALLOWED for path in sources(package)])

    assert len(graph) > 100
    assert [" → ".join(cycle) for cycle in import_cycles(graph)] == []


def test_imports_are_seen_wherever_and_however_they_are_written(tmp_path: Path) -> None:
    package = tmp_path / "a" / "b"
    package.mkdir(parents=True)
    (package / "c.py").write_text(IMPORTS)

    found = imported_names(package / "c.py", tmp_path)
    executed = imported_names(package / "c.py", tmp_path, for_type_checkers=False)

    assert {"top", "a.b.near", "a.far.thing", "a.b", "inside.function", "literal.name", "for_types"} <= found
    assert found - executed == {"for_types"}


def test_a_cycle_is_found_through_functions_and_told_from_its_start(tmp_path: Path) -> None:
    for name, source in {
        "one": "import two",
        "two": "def f():\n    from three import g",
        "three": "import importlib\nimportlib.import_module('one')",
        "four": "import one",
    }.items():
        (tmp_path / f"{name}.py").write_text(source)

    graph = import_graph(sorted(tmp_path.glob("*.py")), tmp_path)

    assert import_cycles(graph) == [["one", "two", "three", "one"]]


@pytest.mark.parametrize("module", LIGHT)
def test_a_light_module_imports_nothing_heavy(module: str) -> None:
    found = run_python(f"import {module}, sys; print([name for name in {HEAVY!r} if name in sys.modules])")

    assert found == "[]"


def test_importing_opens_no_file_network_or_device() -> None:
    modules = [
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
        for package in ("pipeline", "publishing", "data", "hub", "serving", "local_runner")
        for path in sources(package)
        if path.name not in ("__main__.py",)
    ]

    found = run_python(AUDIT.format(modules=modules))

    assert found == "[]"


IMPORTS = """
import importlib
from typing import TYPE_CHECKING
import top
from .near import thing
from ..far import thing
from . import sibling
if TYPE_CHECKING:
    import for_types

def late():
    import inside.function
    importlib.import_module("literal.name")
"""

# Third parties open what they like while they are imported, and so does the import itself: an event counts as
# ours if, going outwards, a file of ours comes before the import machinery.
AUDIT = """
import importlib, sys
from pathlib import Path
EVENTS = ("open", "socket.connect", "socket.bind", "subprocess.Popen", "os.mkdir")
root, events = str(Path.cwd()), []
def watch(event, arguments):
    if event not in EVENTS or str(arguments[0]).endswith((".py", ".pyc")):
        return
    frame = sys._getframe(1)
    while frame is not None and "importlib" not in frame.f_code.co_filename:
        if frame.f_code.co_filename.startswith(root) and "site-packages" not in frame.f_code.co_filename:
            events.append((event, str(arguments[0])))
            return
        frame = frame.f_back
sys.addaudithook(watch)
for module in {modules}:
    importlib.import_module(module)
print(events)
"""


def run_python(code: str) -> str:
    finished = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr[-2000:]
    return finished.stdout.strip()
