"""What the training core imports, and how a training process fails; tests/jax compares the backends."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from modules.processes import Outcome
from modules.training.backend import TrainingProcessError, train_in_subprocess
from modules.training_process import ABSENT_ON_JAX
from tests.jax.tasks import make_task

MODULES = Path(__file__).parents[2] / "modules"


def imported_at_once(module: str, found: set[str]) -> set[str]:
    """All that importing `module` imports, through this project's modules; not what functions import later."""
    place = MODULES.parent.joinpath(*module.split("."))
    source = next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)
    if source is None:  # what a package defines, not a module
        return found
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):
            names = [str(node.module), *(f"{node.module}.{name}" for name in names)]
        for name in set(names) - found:
            found.add(name)
            if name.startswith("modules."):
                imported_at_once(name, found)
    return found


def test_the_training_core_imports_no_tensorflow() -> None:
    found = imported_at_once("modules.trainer", set())
    assert {
        "modules.models.training_model",
        "modules.models.losses",
        "modules.training.dataset",
        "modules.training.fit",
        "modules.exports.process",
    } <= found
    assert not {name for name in found if name.partition(".")[0] in ABSENT_ON_JAX}


def test_a_backend_that_is_not_installed_is_told(tmp_path: Path) -> None:
    task = make_task(tmp_path / "absent", tmp_path)
    with pytest.raises(TrainingProcessError, match=r"Training on mxnet .* Received: .*mxnet.*\. The log has the rest"):
        train_in_subprocess(task, environment={"KERAS_BACKEND": "mxnet"})


@pytest.mark.parametrize(
    ("outcome", "cause"),
    [
        (Outcome(1, {"explanation": "It is so."}, ""), "It is so"),
        (Outcome(1, {"error": "KeyError: 'it'"}, ""), "KeyError: 'it'"),
        (Outcome(-9, {}, ""), "it was killed, as happens when memory runs out"),
        (Outcome(3, {}, ""), "it ended with status 3"),
    ],
)
def test_a_failed_process_tells_its_cause(outcome: Outcome, cause: str) -> None:
    assert outcome.cause == cause
