"""OpenAI's own package for Node gets what it expects."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.publishing.tiny_model import ANSWER
from tests.serving.serving_process import Served

SOURCES = Path(__file__).parent / "npm"
UNREACHABLE = re.compile(r"ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|network", re.IGNORECASE)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package installed; skips where there is no Node, or no registry answers."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm on this machine")
    folder = tmp_path_factory.mktemp("npm") / "client"
    shutil.copytree(SOURCES, folder)
    command = ["npm", "install", "--no-audit", "--no-fund", "--no-progress", "--ignore-scripts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode and UNREACHABLE.search(done.stderr):
        pytest.skip(f"no package registry can be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return folder


def test_the_package_gets_what_it_expects(package: Path, tiny_server: Served) -> None:
    done = subprocess.run(
        ["node", "client.js", f"{tiny_server.url}/v1"],
        cwd=package,
        env=os.environ | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)

    assert found.pop("fingerprint").startswith("sha256-")
    assert found.pop("usage")["completion_tokens"] == 4
    assert found == {
        "models": ["tiny"],
        "chat": ANSWER,
        "tokens": ["Paris", ",", " naïvely", "."],
        "deltas": ["", "Paris", ",", " naïvely", ".", None],
        "completions": [[",", "stop"], [",", "stop"]],
        "error": ["BadRequestError", 400, "temperature", "invalid_request_error"],
        "missing": ["NotFoundError", 404, "model_not_found"],
    }
