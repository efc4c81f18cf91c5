from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, RemoteEntryNotFoundError


def header(**more: str) -> dict[str, Any]:
    return {"key": "header", "value": {"summary": "test", **more}}


def file(path: object, content: bytes = b"x") -> dict[str, Any]:
    encoded = base64.b64encode(content).decode()
    return {"key": "file", "value": {"path": path, "content": encoded, "encoding": "base64"}}


def send(http: httpx.Client, repo: str, *lines: object) -> httpx.Response:
    body = "\n".join(json.dumps(line) for line in lines)
    return http.post(f"/api/models/{repo}/commit/main", content=body)


def test_one_commit_adds_replaces_and_deletes(api: HfApi, repo: str) -> None:
    first = [CommitOperationAdd(path, path.encode()) for path in ("a.txt", "b.txt", "folder/c.txt", "folder/d.txt")]
    api.create_commit(repo, first, commit_message="first")
    second = [
        CommitOperationAdd("a.txt", b"changed"),
        CommitOperationDelete("b.txt"),
        CommitOperationDelete("folder/"),
        CommitOperationAdd("new/deep/e.txt", b"e"),
    ]
    commit = api.create_commit(repo, second, commit_message="second", commit_description="and why")
    assert api.list_repo_files(repo) == [".gitattributes", "a.txt", "new/deep/e.txt"]
    assert commit.repo_url.repo_id == repo
    newest = api.list_repo_commits(repo)[0]
    assert (newest.title, newest.message) == ("second", "and why")


def test_a_copy_within_a_repository_needs_no_upload(api: HfApi, repo: str) -> None:
    weights = bytes(range(256)) * 40
    add = [CommitOperationAdd("model.safetensors", weights), CommitOperationAdd("a.txt", b"a")]
    api.create_commit(repo, add, commit_message="first")
    copies = [
        CommitOperationCopy("model.safetensors", "copy.safetensors"),
        CommitOperationCopy("a.txt", "b.txt"),
    ]
    api.create_commit(repo, copies, commit_message="copies")
    original, copy, a, b = api.get_paths_info(repo, ["model.safetensors", "copy.safetensors", "a.txt", "b.txt"])
    assert original.lfs == copy.lfs
    assert a.blob_id == b.blob_id


def test_unchanged_files_make_no_commit(api: HfApi, repo: str) -> None:
    def operations() -> list[CommitOperationAdd]:
        return [CommitOperationAdd("a.txt", b"a"), CommitOperationAdd("w.safetensors", b"\0weights")]

    first = api.create_commit(repo, operations(), commit_message="first")
    again = api.create_commit(repo, operations(), commit_message="again")
    assert again.oid == first.oid
    assert [entry.title for entry in api.list_repo_commits(repo)] == ["first", "initial commit"]


def test_deleting_what_is_not_there_is_an_error(api: HfApi, repo: str) -> None:
    for path in ("missing.txt", "missing/"):
        with pytest.raises(RemoteEntryNotFoundError, match="with this name doesn't exist"):
            api.create_commit(repo, [CommitOperationDelete(path)], commit_message="delete")


def test_an_invalid_card_is_refused_before_anything_is_uploaded(api: HfApi, repo: str) -> None:
    card = b"---\nlicense: none-such\n---\n"
    with pytest.raises(ValueError, match='"license" must be one of'):
        api.create_commit(repo, [CommitOperationAdd("README.md", card)], commit_message="card")
    assert api.list_repo_files(repo) == [".gitattributes"]


def test_a_commit_with_one_bad_line_changes_nothing(http: httpx.Client, api: HfApi, repo: str) -> None:
    before = api.model_info(repo).sha
    response = send(
        http,
        repo,
        header(),
        file("good.txt"),
        {"key": "lfsFile", "value": {"path": "bad.bin", "oid": "0" * 64}},
    )
    assert response.status_code == 400
    assert response.headers["x-error-message"] == f"The large file bad.bin ({'0' * 64}) must be uploaded first."
    assert api.model_info(repo).sha == before
    assert api.list_repo_files(repo) == [".gitattributes"]


@pytest.mark.parametrize(
    "path",
    [
        "../escape", "a/../../escape", "/etc/passwd", "a//b", "./a", "a/./b", ".git/config", "a/.GIT/hooks",
        "", "a\x00b", "a\nb", "a\\b", "x" * 300, "d/" * 600 + "x", "\ud800", None, 7, ["a"], "a/",
    ],
)  # fmt: skip
def test_a_path_that_leaves_the_repository_is_refused(http: httpx.Client, api: HfApi, repo: str, path: object) -> None:
    assert send(http, repo, header(), file(path)).status_code == 422
    oid = {"path": path, "oid": "0" * 64, "algo": "sha256"}
    assert send(http, repo, header(), {"key": "lfsFile", "value": oid}).status_code == 422
    announced = json.dumps({"files": [{"path": path, "size": 1, "sample": ""}]})
    assert http.post(f"/api/models/{repo}/preupload/main", content=announced).status_code == 422
    assert api.list_repo_files(repo) == [".gitattributes"]


def test_a_path_is_a_file_or_a_folder_but_not_both(http: httpx.Client, repo: str) -> None:
    response = send(http, repo, header(), file("a"), file("a/b"))
    assert response.status_code == 400
    assert "A path is a file or a folder, not both. Received: a and a/b" in response.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'{"key": "header"}', b'{"key": "header", "value": {"summary": ""}}',
        b'{"key": "header", "value": {"summary": "\\ud800"}}', b"[" * 100_000, b"\xff\xfe",
        b'{"key": "other", "value": {}}',
        b'{"key": "header", "value": {"summary": "a"}}\n{"key": "header", "value": {"summary": "b"}}',
        b'{"key": "header", "value": {"summary": "a", "parentCommit": 7}}',
        b'{"key": "header", "value": {"summary": "a"}}\n'
        b'{"key": "file", "value": {"path": "a", "content": "%%%", "encoding": "base64"}}',
    ],
)  # fmt: skip
def test_a_malformed_commit_is_refused(http: httpx.Client, api: HfApi, repo: str, body: bytes) -> None:
    before = api.model_info(repo).sha
    response = http.post(f"/api/models/{repo}/commit/main", content=body)
    assert response.status_code == 400
    assert response.json()["error"]
    assert api.model_info(repo).sha == before


def test_a_line_beyond_the_limit_is_refused(http: httpx.Client, repo: str) -> None:
    response = http.post(f"/api/models/{repo}/commit/main", content=b" " * (17 * 1024 * 1024))
    assert response.status_code == 413


def test_pull_requests_are_refused_by_name(api: HfApi, repo: str) -> None:
    with pytest.raises(HfHubHTTPError, match="no pull requests"):
        api.create_commit(repo, [CommitOperationAdd("a", b"a")], commit_message="a", create_pr=True)


def test_commits_made_at_once_all_arrive_in_one_history(api: HfApi, repo: str) -> None:
    def commit(number: int) -> str:
        addition = [CommitOperationAdd(f"{number}.txt", b"x")]
        return api.create_commit(repo, addition, commit_message=str(number)).oid

    with ThreadPoolExecutor(8) as pool:
        oids = set(pool.map(commit, range(16)))
    history = api.list_repo_commits(repo)
    assert {entry.commit_id for entry in history[:-1]} == oids
    assert len(api.list_repo_files(repo)) == 17


def test_a_reader_sees_each_commit_whole_or_not_at_all(api: HfApi, repo: str) -> None:
    """Two files always change together; a reader who looks all the time never sees them differ."""

    def commit(number: int) -> None:
        content = str(number).encode()
        pair = [CommitOperationAdd("a.txt", content), CommitOperationAdd("b.txt", content)]
        api.create_commit(repo, pair, commit_message=str(number))

    commit(0)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(lambda: [commit(number) for number in range(1, 15)])
        looks = 0
        while not writing.done() or looks == 0:
            a, b = api.get_paths_info(repo, ["a.txt", "b.txt"])
            assert a.blob_id == b.blob_id
            looks += 1
        writing.result()
    assert looks > 5
