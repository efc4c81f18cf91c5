"""Turns the client's tests to the Hub under test; pytest loads it before any of them.

It is read with the client's own interpreter and knows nothing of this project.
"""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

EXCLUDED = "HUB_CLIENT_EXCLUDED"
MARKS = ("api", "transfer", "inference", "xet", "no_xet", "production", "deprecated", "git_lfs", "vcr")
# Of other machines: the public Hub, an environment without hf_xet, one with git-lfs.
MARKS_OF_OTHERS = ("production", "no_xet", "git_lfs", "vcr")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Puts the address of the Hub under test where the tests and their conftest look for the staging one."""
    constants = importlib.import_module("tests.testing_constants")
    constants.ENDPOINT_STAGING = os.environ["HF_ENDPOINT"]
    take_branches_for_pull_requests()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--collect-all", action="store_true", help="leave nothing out")


def pytest_configure(config: pytest.Config) -> None:
    for mark in MARKS:
        config.addinivalue_line("markers", f"{mark}: of the client's own tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the excluded tests, and those of other machines."""
    if config.getoption("--collect-all"):
        return
    excluded = json.loads(Path(os.environ[EXCLUDED]).read_text(encoding="utf-8"))
    left_out = [item for item in items if _is_left_out(item, excluded)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def _is_left_out(item: pytest.Item, excluded: list[str]) -> bool:
    name = item.nodeid.removeprefix("tests/")
    named = any(name == other or name.startswith((f"{other}::", f"{other}[")) for other in excluded)
    return named or any(item.get_closest_marker(mark) for mark in MARKS_OF_OTHERS)


def take_branches_for_pull_requests() -> None:
    """Lets the client commit to a branch refs/pr/1 where a fixture asks for a pull request.

    The Hub under test has none, but the file system's tests make one only to have a revision beside `main`.
    """
    from huggingface_hub import HfApi

    commit = HfApi.create_commit

    def create_commit(self: HfApi, repo_id: str, *arguments: Any, **options: Any) -> Any:
        if options.pop("create_pr", None):
            start, repo_type = options.get("revision"), options.get("repo_type")
            self.create_branch(repo_id, branch="refs/pr/1", revision=start, repo_type=repo_type, exist_ok=True)
            options["revision"] = "refs/pr/1"
        return commit(self, repo_id, *arguments, **options)

    HfApi.create_commit = create_commit
