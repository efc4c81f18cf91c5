"""The client's own tests against the local Hub: `make test-hub-client`."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.access import Identity
from hub.server import running
from tests.hub_client.environment import ENVIRONMENT, SUITE, NoTestsError, lay_out, locked_client

HERE = Path(__file__).parent
PYTHON = ENVIRONMENT / "bin/python"
GROUPS = ("not_offered", "needs_the_real_hub", "harness")
# Repositories, commits, files, downloads, the file system, cards, and what these stand on.
FILES = tuple(
    f"test_{name}.py"
    for name in (
        "auth", "cache_layout", "commit_api", "commit_scheduler", "copy_files", "file_download",
        "hf_api", "hf_file_system", "hub_mixin", "lfs", "local_folder", "repocard", "repocard_data", "shared_blobs",
        "snapshot_download", "tree_cache", "upload_pipeline", "utils_cache", "utils_errors", "utils_headers",
        "utils_http", "utils_pagination", "utils_sha", "utils_validators", "verification", "xet_upload",
    )
)  # fmt: skip

in_its_environment = pytest.mark.skipif(
    not (SUITE / "tests").exists(), reason="needs .venv-hub-client: run `make test-hub-client`"
)


def excluded_tests() -> list[str]:
    groups = tomllib.loads((HERE / "excluded.toml").read_text(encoding="utf-8"))
    assert set(groups) <= set(GROUPS)
    return [name for reasons in groups.values() for names in reasons.values() for name in names]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Hub that knows the users of the client's tests."""
    of_tests = runpy.run_path(str(SUITE / "tests/testing_constants.py"))
    user, other, admin, firm = (of_tests[name] for name in ("USER", "OTHER_USER", "ENTERPRISE_USER", "ENTERPRISE_ORG"))
    identities = {
        of_tests["TOKEN"]: Identity(user, "write", frozenset({user})),
        of_tests["OTHER_TOKEN"]: Identity(other, "write", frozenset({other})),
        of_tests["ENTERPRISE_TOKEN"]: Identity(admin, "write", frozenset({admin, firm}), frozenset({firm})),
    }
    with running(tmp_path_factory.mktemp("hub"), port=0, authenticate=identities.get) as address:
        yield address


def run(endpoint: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest on the client's tests, in the client's environment."""
    excluded = folder / "excluded.json"
    excluded.write_text(json.dumps(excluded_tests()), encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "PYTEST_"))}
    settings = {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(folder / "home"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HUB_CLIENT_EXCLUDED": str(excluded),
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": str(HERE),
    }
    options = ["-p", "client_plugin", "-c", os.devnull, "--rootdir", ".", "-q", "-W", "error::FutureWarning"]
    command = [PYTHON, "-m", "pytest", *options, "--timeout", "120", *arguments]
    return subprocess.run(command, cwd=SUITE, env=kept | settings, capture_output=True, text=True, check=False)


@pytest.mark.hub_client
@in_its_environment
@pytest.mark.parametrize("file", FILES)
def test_the_clients_own_tests_pass(endpoint: str, tmp_path: Path, file: str) -> None:
    result = run(endpoint, tmp_path, "-rf", "--tb=short", f"tests/{file}")
    assert result.returncode == 0, result.stdout + result.stderr
    print(file, result.stdout.strip().splitlines()[-1])  # noqa: T201 - how many there were


@pytest.mark.hub_client
@in_its_environment
def test_every_exclusion_names_a_test_that_there_is(endpoint: str, tmp_path: Path) -> None:
    result = run(endpoint, tmp_path, "--collect-only", "--collect-all", *(f"tests/{file}" for file in FILES))
    collected = [line.removeprefix("tests/") for line in result.stdout.splitlines() if "::" in line]
    assert len(collected) > 1000, result.stdout + result.stderr
    stale = [
        name
        for name in excluded_tests()
        if not any(test == name or test.startswith((f"{name}::", f"{name}[")) for test in collected)
    ]
    assert stale == []


def test_no_test_is_excluded_twice() -> None:
    names = excluded_tests()
    assert len(names) == len(set(names))


def test_the_locked_client_is_the_one_whose_tests_are_run() -> None:
    lock = '[[package]]\nname = "huggingface-hub"\nversion = "9.1"\nsdist = { url = "u", hash = "sha256:ab" }\n'
    assert locked_client(lock) == ("9.1", "ab")


def test_a_folder_without_the_clients_tests_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoTestsError, match="Set HUB_CLIENT_TESTS to `tests` of a checkout"):
        lay_out(tmp_path, tmp_path / "suite")


def test_what_a_source_distribution_leaves_out_is_laid_beside_the_tests(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "test_hf_api.py").touch()
    lay_out(source, tmp_path / "suite")
    assert {path.name for path in (tmp_path / "suite").iterdir()} == {"__init__.py", "conftest.py", "test_hf_api.py"}
    (source / "conftest.py").write_text("# of a checkout\n")
    lay_out(source, tmp_path / "suite")
    assert (tmp_path / "suite" / "conftest.py").read_text() == "# of a checkout\n"
