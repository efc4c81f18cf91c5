from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from publishing.errors import PlanError
from publishing.exports import plan_files
from publishing.files import PlannedFile, RemoteFile
from publishing.manifest import Manifest, PastRevision, read_manifest
from publishing.plan import Plan, plan_model, plan_space
from publishing.revision_names import dated_revisions, revision_at
from tests.publishing.tiny_model import write_model

MODEL_PATHS = [
    "config.json",
    "ctranslate2/config.json",
    "ctranslate2/model.bin",
    "ctranslate2/vocabulary.json",
    "generation_config.json",
    "keras/config.json",
    "keras/model.weights.h5",
    "model.safetensors",
    "prompt.json",
    "saved_model/saved_model.pb",
    "saved_model/variables/variables.data-00000-of-00001",
    "saved_model/variables/variables.index",
    "tokenizer.json",
    "training.json",
]


def test_every_export_has_its_place_in_a_revision(model_folder: Path) -> None:
    assert [file.path for file in plan_files(model_folder)] == MODEL_PATHS


def test_a_revision_also_holds_its_card_and_a_manifest_of_everything_else(model_folder: Path) -> None:
    plan = plan_model(
        plan_files(model_folder),
        repo_id="me/model",
        revision="v1",
        write_card=lambda revision: f"# {revision}\n",
    )

    assert [file.path for file in plan.files] == ["README.md", *MODEL_PATHS, "manifest.json"]
    contents = {file.path: file.source for file in plan.files if isinstance(file.source, bytes)}
    assert contents["README.md"] == b"# v1\n"
    manifest = json.loads(contents["manifest.json"])
    assert manifest["repo_id"] == "me/model"
    assert manifest["revision"] == "v1"
    assert list(manifest["files"]) == ["README.md", *MODEL_PATHS]
    weights = (model_folder / "exports/ctranslate2/model.bin").read_bytes()
    assert manifest["files"]["ctranslate2/model.bin"] == {
        "size": len(weights),
        "sha256": hashlib.sha256(weights).hexdigest(),
    }


def test_a_file_has_the_checksums_of_sha256_and_of_git(tmp_path: Path) -> None:
    (tmp_path / "hello").write_bytes(b"hello\n")
    expected_sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    expected_git_oid = "ce013625030ba8dba906f756967f9e9ca394464a"

    for file in (PlannedFile.from_file("a", tmp_path / "hello"), PlannedFile.from_bytes("a", b"hello\n")):
        assert (file.size_bytes, file.sha256, file.git_oid) == (6, expected_sha256, expected_git_oid)


def test_missing_exports_are_all_named(model_folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "model"
    shutil.copytree(model_folder, broken)
    shutil.rmtree(broken / "exports" / "ctranslate2")
    (broken / "exports" / "prompt.json").unlink()

    with pytest.raises(PlanError, match=r"without exports/ctranslate2/, exports/prompt\.json\. Run the Trainer"):
        plan_files(broken)


def test_two_files_for_one_path_are_refused() -> None:
    file = PlannedFile.from_bytes("README.md", b"")
    with pytest.raises(PlanError, match=r"Received two files for: README\.md"):
        Plan("me/model", "model", "v1", "title", (file, file))


def test_a_tree_equal_to_the_plan_has_no_differences() -> None:
    plan = _plan(PlannedFile.from_bytes("a", b"a"), PlannedFile.from_bytes("b", b"b"))
    git_file = RemoteFile("a", 1, None, plan.files[0].git_oid)
    lfs_file = RemoteFile("b", 1, plan.files[1].sha256, "oid of the LFS pointer")

    assert plan.differences([lfs_file, git_file, RemoteFile(".gitattributes", 9, None, "x")]) == []


def test_every_difference_between_plan_and_tree_is_named() -> None:
    plan = _plan(*(PlannedFile.from_bytes(name, name.encode()) for name in "abcd"))
    tree = [
        RemoteFile("b", 2, None, plan.files[1].git_oid),
        RemoteFile("c", 1, "0" * 64, plan.files[2].git_oid),
        RemoteFile("d", 1, None, "1" * 40),
        RemoteFile("e", 1, None, "e"),
    ]

    assert plan.differences(tree) == [
        "a: missing",
        "b: 2 bytes instead of 1",
        f"c: another sha256, {'0' * 64}",
        f"d: another git oid, {'1' * 40}",
        "e: not in the plan",
    ]


def test_the_spaces_commit_names_the_models_commit() -> None:
    plan = plan_space({"app.py": b"1", "README.md": b"2"}, repo_id="me/demo", model="me/model@v1", commit="abc")

    assert (plan.repo_type, plan.revision, plan.title) == ("space", "main", "Serve me/model@v1 at abc")
    assert [file.path for file in plan.files] == ["README.md", "app.py"]


def test_a_plan_renders_as_one_line_for_each_file() -> None:
    assert _plan(PlannedFile.from_bytes("a", b"a")).render() == (
        "model me/model @ v1: 1 files, 1 bytes\n  ca978112ca1b             1  a"
    )


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b'{"revision": "v1"}', b'{"format": 1, "revision": 5}'])
def test_a_foreign_manifest_names_no_revision(content: bytes) -> None:
    assert read_manifest(content) is None


def test_a_manifest_is_read_back_as_it_was_written() -> None:
    history = (PastRevision("v20261120-120000", "1" * 40),)
    files = (PlannedFile.from_bytes("a.txt", b"a"),)
    plan = plan_model(files, repo_id="me/model", revision="v1", write_card=lambda name: name, history=history)
    manifest = plan.files[-1]

    assert manifest.path == "manifest.json"
    assert isinstance(manifest.source, bytes)
    assert read_manifest(manifest.source) == Manifest(
        "v1", history, {"README.md": (sha256(b"v1"), 2), "a.txt": (sha256(b"a"), 1)}
    )
    for spoilt in (manifest.source.replace(b"1" * 40, b"../x"), manifest.source.replace(b"v20261120", b"[x](y)")):
        assert read_manifest(spoilt) is None, "what a card would show must have the form of a revision"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("weights.bin", pickle.dumps({"weights": 1})),
        ("weights.bin", b"PK\x03\x04 an archive, as PyTorch writes them"),
        ("weights.pt", b"anything"),
    ],
)
def test_what_could_run_code_when_loaded_is_not_published(tmp_path: Path, name: str, content: bytes) -> None:
    model = write_model(tmp_path / "model")
    (model / "exports" / "keras" / name).write_bytes(content)
    with pytest.raises(PlanError, match=rf"no pickle.* Received: exports/keras/{name}\. Export it as safetensors"):
        plan_files(model)


def test_a_revision_is_named_by_utc() -> None:
    moment = datetime(2026, 11, 21, 23, 52, 7, tzinfo=timezone(timedelta(hours=1)))

    assert revision_at(moment) == "v20261121-225207"
    assert revision_at(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "v20260102-030405"
    with pytest.raises(ValueError, match="needs a time zone"):
        revision_at(datetime(2026, 1, 1))


def test_dated_revisions_are_sorted_and_others_left_out() -> None:
    branches = ["main", "v20261121-225207", "v2", "v20251121-225207", "v20261121-225207-x"]
    assert dated_revisions(branches) == ["v20251121-225207", "v20261121-225207"]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _plan(*files: PlannedFile) -> Plan:
    return Plan("me/model", "model", "v1", "title", files)
