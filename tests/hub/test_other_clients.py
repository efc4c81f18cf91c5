"""Clients of other versions than the project's own speak to the server just as well."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub.server import create_app
from tests.publishing.publications import serving

ROOT = Path(__file__).parents[2]
OLDER = ROOT / ".venv-parity-hub1" / "bin" / "python"


@pytest.mark.parametrize("without_xet", ["0", "1"])
def test_the_projects_own_client_finds_everything_as_expected(tmp_path: Path, without_xet: str) -> None:
    assert _client(Path(sys.executable), tmp_path, without_xet).startswith("huggingface_hub 2.")


@pytest.mark.parametrize("without_xet", ["0", "1"])
@pytest.mark.parity
@pytest.mark.skipif(not OLDER.exists(), reason="needs .venv-parity-hub1: run `make test-parity`")
def test_the_newest_client_before_version_2_finds_everything_as_expected(tmp_path: Path, without_xet: str) -> None:
    assert _client(OLDER, tmp_path, without_xet).startswith("huggingface_hub 1.")


def _client(python: Path, folder: Path, without_xet: str) -> str:
    """What the client prints; without Xet, large files go in parts."""
    settings = {"HF_HUB_DISABLE_XET": without_xet, "HF_HOME": str(folder / "home"), "NO_PROXY": "127.0.0.1"}
    with serving(create_app(folder / "hub", part_bytes=500_000)) as endpoint:
        result = subprocess.run(
            [python, ROOT / "tests" / "parity" / "client_protocol.py", endpoint],
            env=os.environ | settings,
            capture_output=True,
            text=True,
            check=False,
        )
    assert result.returncode == 0, result.stderr
    return result.stdout
