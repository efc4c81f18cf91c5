from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from modules.fingerprint import fingerprint
from modules.provenance import RUN_ID_VARIABLE, code_version, provenance, rows_sha256, run_id

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("environment", "folder", "expected"),
    [
        ({RUN_ID_VARIABLE: "20261122-022524-710304"}, "/tfx/Trainer/model_run/14", "20261122-022524-710304"),
        ({RUN_ID_VARIABLE: " "}, "/tfx/Trainer/model_run/14", "execution 14"),
        ({}, "/minio/mlpipeline/v2/artifacts/alpaca/run-1/Trainer/model_run", "run-1"),
        ({}, "/somewhere/else", None),
    ],
)
def test_a_run_is_named_by_its_runner_or_by_where_it_writes(
    environment: dict[str, str], folder: str, expected: str | None
) -> None:
    assert run_id(environment, folder) == expected


def test_rows_are_one_number_whatever_their_order() -> None:
    rows = [("a", "b"), ("c", "d"), ("a", "b")]
    digest = rows_sha256(*zip(*rows, strict=True))

    assert digest == rows_sha256(*zip(*reversed(rows), strict=True))
    assert digest != rows_sha256(*zip(*rows[:2], strict=True)), "a row that is there twice counts twice"
    assert rows_sha256(["ab"], ["c"]) != rows_sha256(["a"], ["bc"]), "prompt and response stay apart"


def test_the_number_can_be_made_by_hand() -> None:
    rows = [("é", "x"), ("", "y")]
    hashed = [hashlib.sha256(len(p.encode()).to_bytes(8) + p.encode() + r.encode()).digest() for p, r in rows]
    assert rows_sha256(["é", ""], ["x", "y"]) == hashlib.sha256(b"".join(sorted(hashed))).hexdigest()


def test_code_is_told_by_version_by_hash_and_by_commit_with_its_changes(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    without_git = code_version(tmp_path)
    commit = make_checkout(tmp_path)
    clean = code_version(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.4"\n')

    expected = {"version": "1.2.3", "modules_sha256": fingerprint("modules.trainer"), "git_commit": None}
    assert without_git == expected
    assert clean == expected | {"git_commit": commit}
    assert code_version(tmp_path) == expected | {"version": "1.2.4", "git_commit": f"{commit}+changes"}


def test_all_of_it_together() -> None:
    told = provenance({}, run_folder="/x/7", rows={"train": (["p"], ["r"]), "eval": ([], [])}, project=ROOT)

    assert told["run_id"] == "execution 7"
    assert set(told["code"]) == {"version", "modules_sha256", "git_commit"}
    assert told["rows_sha256"] == {"train": rows_sha256(["p"], ["r"]), "eval": hashlib.sha256(b"").hexdigest()}


def make_checkout(folder: Path) -> str:
    """The folder as a git repository of one commit; gives its id."""
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    for command in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "--message", "first"]):
        subprocess.run(["git", "-C", folder, *command], check=True)
    result = subprocess.run(["git", "-C", folder, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return result.stdout.strip()
