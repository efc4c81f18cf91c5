"""Imports go one way, and importing does nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
RUNNERS = ("local_runner", "kubeflow_runner")
# Which of the project's packages each may import.
ALLOWED = {
    "local_runner": {"pipeline"},
    "kubeflow_runner": {"pipeline"},
    "pipeline": {"pipeline", "publishing", "modules", "data", "hub"},
    "publishing": {"publishing", "hub"},
    "modules": {"modules"},
    "data": {"data"},
    "hub": {"hub"},
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
)


def sources(package: str) -> list[Path]:
    if package in RUNNERS:
        return [REPOSITORY / f"{package}.py"]
    return sorted((REPOSITORY / package).rglob("*.py"))


def imported_names(path: Path) -> set[str]:
    """Of ``from a import b``, both ``a`` and ``a.b``."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


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


def test_modules_know_nothing_of_orchestration() -> None:
    for path in sources("modules"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = {
            alias.name if isinstance(node, ast.Import) else node.module
            for node in tree.body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert not {name for name in top if name and name.partition(".")[0] in ("tfx", "kfp", "ml_metadata")}, path


@pytest.mark.parametrize("module", LIGHT)
def test_a_light_module_imports_nothing_heavy(module: str) -> None:
    found = run_python(f"import {module}, sys; print([name for name in {HEAVY!r} if name in sys.modules])")

    assert found == "[]"


def test_importing_opens_no_file_network_or_device() -> None:
    modules = [
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
        for package in ("pipeline", "publishing", "data", "hub", "local_runner")
        for path in sources(package)
        if path.name not in ("__main__.py",)
    ]

    found = run_python(AUDIT.format(modules=modules))

    assert found == "[]"


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
