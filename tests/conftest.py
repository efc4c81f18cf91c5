"""Settings that libraries read once, when they are first imported: before any test module is. And what makes the tests
faster: less looking for garbage, whole pipeline runs first, child processes that import nothing."""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.fork_server import fork_server

# Large files go by LFS, whose requests many tests look into. tests/hub/test_xet.py, and what runs in a process of its
# own as a user would run it, turn this off again.
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# A shell has its background jobs ignore interrupts, and so would every process that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
# The test modules import a million objects and no garbage.
gc.disable()

IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
STAND_IN = "TESTS_STAND_IN_PYTHON"
# Files with tests that use the fixture `first_run`.
SHARING_A_RUN = {
    "test_compiled_pipeline.py",
    "test_local_pipeline.py",
    "test_reported_run.py",
    "test_initial_models.py",
}


def pytest_configure(config: pytest.Config) -> None:
    """Starts one fork server for all workers; it waits without importing anything."""
    if not IS_WORKER:
        stack = ExitStack()
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tests-"))
        os.environ[STAND_IN] = str(stack.enter_context(fork_server(Path(folder))))
        config.add_cleanup(stack.close)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hands out whole files, and those that look at one pipeline run together, so that it is made once."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return "first run" if Path(file).name in SHARING_A_RUN else file

    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where processes share the tests, whole pipeline runs come first: a long file at the end is waited for alone."""
    if IS_WORKER:
        using = {item.path.name for item in items if "first_run" in item.fixturenames}  # type: ignore[attr-defined]
        if not using <= SHARING_A_RUN:
            raise pytest.UsageError(f"Put the files that use first_run into SHARING_A_RUN. Received: {sorted(using)}")
        items.sort(key=lambda item: item.get_closest_marker("e2e") is None)


def pytest_collection_finish() -> None:
    """Exempts what was imported from the search for garbage, which TensorFlow's graphs start again and again."""
    gc.enable()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


@pytest.fixture(scope="module")
def forked_children() -> Iterator[None]:
    """The project's child processes are forked from one that has TensorFlow, Beam and TFX imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", os.environ[STAND_IN])
        yield


@pytest.fixture(scope="session")
def trained_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model artifact that has learnt one answer, with its adapter's base beside it; made once for all workers, so
    no test may change it."""
    from tests.publishing.trained_model import train_model

    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if IS_WORKER else own) / "trained"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first worker makes it, others wait
        if not (folder / "made").exists():
            train_model(folder / "model")
            (folder / "made").touch()
    return folder / "model"
