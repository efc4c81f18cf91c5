"""What a program does with a Hub, run by whichever client there is: `python client_protocol.py http://127.0.0.1:8642`."""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import huggingface_hub
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError

REPO_ID = "local/protocol"
WEIGHTS = random.Random(1).randbytes(3_000_000)
CARD = b"---\nlicense: mit\n---\n# A card\n"


def main(endpoint: str) -> None:
    api = HfApi(endpoint=endpoint, token="t")
    assert api.whoami()["name"] == "local"
    for _ in range(2):
        api.create_repo(REPO_ID, exist_ok=True)
    first, commit = api.model_info(REPO_ID).sha, commit_files(api)
    check_conflict(api, parent_commit=first)
    check_revisions(api, commit)
    check_listing(api)
    check_gate(api, endpoint)
    api.create_repo("local/protocol-demo", repo_type="space", space_sdk="gradio", exist_ok=True)
    assert api.space_info("local/protocol-demo").sdk == "gradio"
    api.delete_repo(REPO_ID)
    assert not api.repo_exists(REPO_ID)
    sys.stdout.write(f"huggingface_hub {huggingface_hub.__version__}: as expected\n")


def commit_files(api: HfApi) -> str:
    files = {"model.safetensors": WEIGHTS, "README.md": CARD, "folder/notes.txt": b"notes"}
    additions = [CommitOperationAdd(path, content) for path, content in files.items()]
    return str(api.create_commit(REPO_ID, additions, commit_message="files").oid)


def check_conflict(api: HfApi, *, parent_commit: str) -> None:
    addition = CommitOperationAdd("late.txt", b"late")
    status = 200
    try:
        api.create_commit(REPO_ID, [addition], commit_message="late", parent_commit=parent_commit)
    except HfHubHTTPError as error:
        status = error.response.status_code
    assert status == 412, "a commit on an old parent must be refused"


def check_revisions(api: HfApi, commit: str) -> None:
    api.create_branch(REPO_ID, branch="v1", revision=commit)
    api.create_tag(REPO_ID, tag="t1", revision="v1")
    refs = api.list_repo_refs(REPO_ID)
    assert [ref.name for ref in refs.branches] == ["main", "v1"]
    assert [ref.target_commit for ref in refs.tags] == [commit]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(api.snapshot_download(REPO_ID, revision="v1", cache_dir=folder))
        assert (copy / "model.safetensors").read_bytes() == WEIGHTS
    api.delete_branch(REPO_ID, branch="v1")
    api.delete_tag(REPO_ID, tag="t1")


def check_listing(api: HfApi) -> None:
    entries = {entry.path: getattr(entry, "size", None) for entry in api.list_repo_tree(REPO_ID, recursive=True)}
    assert entries["model.safetensors"] == len(WEIGHTS)
    assert api.file_exists(REPO_ID, "folder/notes.txt")
    assert not api.file_exists(REPO_ID, "nothing.txt")
    api.create_commit(REPO_ID, [CommitOperationDelete("folder/")], commit_message="delete")
    assert api.list_repo_files(REPO_ID) == [".gitattributes", "README.md", "model.safetensors"]
    assert api.model_info(REPO_ID).card_data.license == "mit"


def check_gate(api: HfApi, endpoint: str) -> None:
    api.update_repo_settings(REPO_ID, gated="auto")
    with tempfile.TemporaryDirectory() as folder:
        try:
            HfApi(endpoint=endpoint, token=False).hf_hub_download(REPO_ID, "README.md", cache_dir=folder)
        except GatedRepoError:
            return
    raise AssertionError("a gated file was given to a visitor")


if __name__ == "__main__":
    main(sys.argv[1])
