"""What the client's own tests expect of a Hub, on branches instead of pull requests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, HfApi, HfFileSystem
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from hub.access import Identity
from hub.server import running

USERS = {
    "anna": Identity("anna", "write", frozenset({"anna", "club"}), frozenset({"club"})),
    "bert": Identity("bert", "write", frozenset({"bert"})),
}


@pytest.fixture(scope="module")
def shared_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of two users."""
    with running(tmp_path_factory.mktemp("shared") / "hub", port=0, authenticate=USERS.get) as address:
        yield address


@pytest.fixture
def anna(shared_url: str) -> HfApi:
    return HfApi(endpoint=shared_url, token="anna")


@pytest.fixture
def bert(shared_url: str) -> HfApi:
    return HfApi(endpoint=shared_url, token="bert")


def add(api: HfApi, repo: str, path: str, content: bytes, *, revision: str = "main") -> str:
    addition = CommitOperationAdd(path, content)
    return str(api.create_commit(repo, [addition], commit_message=f"add {path}", revision=revision).oid)


def test_a_repository_is_found_in_whatever_case_it_is_written(api: HfApi) -> None:
    api.create_repo("local/Mixed-Case")
    add(api, "local/mixed-case", "a.txt", b"a")
    assert api.list_repo_files("LOCAL/MIXED-CASE") == [".gitattributes", "a.txt"]
    assert api.model_info("local/mixed-case").id == "local/Mixed-Case"
    with pytest.raises(HfHubHTTPError, match="already created this model repo: local/Mixed-Case") as caught:
        api.create_repo("local/mixed-case")
    assert caught.value.response.status_code == 409
    api.delete_repo("local/MIXED-case")
    assert not api.repo_exists("local/Mixed-Case")


def test_a_moved_repository_is_found_under_both_names(api: HfApi, repo: str, tmp_path: Path) -> None:
    api.update_repo_settings(repo, private=True)
    add(api, repo, "a.txt", b"a")
    api.move_repo(repo, f"{repo}-renamed")
    assert api.model_info(repo).id == f"{repo}-renamed"
    assert Path(api.hf_hub_download(repo, "a.txt", cache_dir=tmp_path)).read_bytes() == b"a"
    api.move_repo(f"{repo}-renamed", f"{repo}-again")
    assert api.model_info(repo).id == f"{repo}-again"
    api.create_repo(repo)
    assert api.list_repo_files(repo) == [".gitattributes"]
    assert api.model_info(f"{repo}-renamed").id == f"{repo}-again"
    with pytest.raises(HfHubHTTPError, match=f"A model repository called {repo} already exists"):
        api.move_repo(f"{repo}-again", repo)
    with pytest.raises(RepositoryNotFoundError):
        api.move_repo("local/never-made", "local/other")


def test_a_repository_can_be_moved_back(api: HfApi, repo: str) -> None:
    api.move_repo(repo, f"{repo}-renamed")
    api.move_repo(f"{repo}-renamed", repo)
    assert api.model_info(repo).id == api.model_info(f"{repo}-renamed").id == repo


def test_only_who_may_write_at_both_places_moves_a_repository(anna: HfApi, bert: HfApi) -> None:
    anna.create_repo("anna/mine")
    for client, target in ((bert, "bert/stolen"), (anna, "bert/gift")):
        with pytest.raises(HfHubHTTPError) as caught:
            client.move_repo("anna/mine", target)
        assert caught.value.response.status_code == 403
    anna.create_repo("anna/secret", private=True)
    with pytest.raises(RepositoryNotFoundError):
        bert.move_repo("anna/secret", "bert/secret")


def test_a_name_without_namespace_is_the_askers_own(anna: HfApi, bert: HfApi) -> None:
    assert anna.create_repo("bare").repo_id == "anna/bare"
    assert bert.create_repo("bare").repo_id == "bert/bare"
    assert [org["name"] for org in anna.whoami()["orgs"]] == ["club"]


def test_a_namespace_may_make_new_repositories_private(anna: HfApi, bert: HfApi) -> None:
    anna.create_repo("club/quiet")
    anna.create_repo("club/loud", private=False)
    assert anna.model_info("club/quiet").private
    assert not bert.repo_exists("club/quiet")
    assert bert.repo_exists("club/loud")


def test_an_error_names_its_request(api: HfApi, http: httpx.Client) -> None:
    with pytest.raises(RepositoryNotFoundError) as caught:
        api.create_commit("local/none", [CommitOperationAdd("a", b"a")], commit_message="a")
    request_id = caught.value.response.headers["x-request-id"]
    assert f"404 Client Error. (Request ID: {request_id})" in str(caught.value)
    assert http.get("/api/models", headers={"X-Request-Id": "mine"}).headers["x-request-id"] == "mine"
    assert http.get("/api/models", headers={"X-Amzn-Trace-Id": "theirs"}).headers["x-request-id"] == "theirs"
    assert http.get("/api/models", headers={"X-Request-Id": "not\tone"}).headers["x-request-id"] != "not\tone"


def test_what_the_gitignore_names_is_not_uploaded(api: HfApi, repo: str, tmp_path: Path) -> None:
    for path in ("kept.txt", "nested/file.bin", "nested/kept.txt"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("text")
    add(api, repo, ".gitignore", b"# of the repository\nnested/*\n!nested/kept.txt\n")
    api.upload_folder(repo_id=repo, folder_path=tmp_path)
    assert api.list_repo_files(repo) == [".gitattributes", ".gitignore", "kept.txt", "nested/kept.txt"]
    (tmp_path / ".gitignore").write_text("new.txt\n")
    (tmp_path / "new.txt").write_text("text")
    api.upload_folder(repo_id=repo, folder_path=tmp_path)
    assert not api.file_exists(repo, "new.txt")
    assert api.file_exists(repo, "nested/file.bin")


def test_the_gitattributes_say_what_is_a_large_file(api: HfApi, repo: str) -> None:
    add(api, repo, ".gitattributes", b"*.png filter=lfs diff=lfs merge=lfs -text\nplain.png -filter\n")
    for path in ("image.png", "plain.png", "text.safetensors"):
        add(api, repo, path, b"text")
    infos = api.get_paths_info(repo, ["image.png", "plain.png", "text.safetensors"])
    assert {info.path: info.lfs is not None for info in infos} == {
        "image.png": True, "plain.png": False, "text.safetensors": False
    }  # fmt: skip


def test_a_revision_that_is_missing_is_named_before_a_name_that_is_wrong(api: HfApi, repo: str) -> None:
    with pytest.raises(RevisionNotFoundError):
        api.create_tag(repo, tag="invalid tag", revision="missing")
    with pytest.raises(HfHubHTTPError, match="Invalid rev id"):
        api.delete_branch(repo, branch="missing")


def test_paths_tell_the_commits_that_made_them(api: HfApi, repo: str) -> None:
    add(api, repo, "a.txt", b"a")
    add(api, repo, "b.txt", b"b")
    infos = api.get_paths_info(repo, ["a.txt", "b.txt"], expand=True)
    assert {info.path: info.last_commit.title for info in infos} == {"a.txt": "add a.txt", "b.txt": "add b.txt"}
    commits = api.list_repo_commits(repo, formatted=True)
    assert [commit.formatted_title for commit in commits] == ["add b.txt", "add a.txt", "initial commit"]


def test_a_long_history_is_listed_in_full(api: HfApi, repo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.routes.refs.PAGE_COMMITS", 2)
    oids = [add(api, repo, "a.txt", text.encode()) for text in "abcd"]
    assert [commit.commit_id for commit in api.list_repo_commits(repo)][:4] == oids[::-1]
    assert len(api.list_repo_commits(repo)) == 5


def test_a_branch_can_lose_its_history(api: HfApi, repo: str) -> None:
    add(api, repo, "a.txt", b"a")
    api.create_branch(repo, branch="v1")
    add(api, repo, "a.txt", b"b")
    api.super_squash_history(repo, commit_message="all in one")
    assert [commit.title for commit in api.list_repo_commits(repo)] == ["all in one"]
    assert len(api.list_repo_commits(repo, revision="v1")) == 2
    assert api.list_repo_files(repo) == [".gitattributes", "a.txt"]
    with pytest.raises(RevisionNotFoundError):
        api.super_squash_history(repo, branch="missing")


def test_large_files_can_be_taken_out_of_every_revision(api: HfApi, repo: str, tmp_path: Path) -> None:
    first = add(api, repo, "a.bin", b"\0 first")
    add(api, repo, "b.bin", b"\0 second")
    add(api, repo, "a.bin", b"\0 third")
    api.create_branch(repo, branch="v1")
    add(api, repo, "c.bin", b"\0 fourth", revision="v1")
    files = {(file.filename, file.ref) for file in api.list_lfs_files(repo)}
    assert files == {
        ("a.bin", None), ("a.bin", "refs/heads/main"), ("b.bin", "refs/heads/main"), ("c.bin", "refs/heads/v1")
    }  # fmt: skip
    api.permanently_delete_lfs_files(repo, [file for file in api.list_lfs_files(repo) if file.filename == "a.bin"])
    assert {file.filename for file in api.list_lfs_files(repo)} == {"b.bin", "c.bin"}
    assert api.list_repo_files(repo) == [".gitattributes", "b.bin"]
    assert api.list_repo_files(repo, revision="v1") == [".gitattributes", "b.bin", "c.bin"]
    assert [commit.title for commit in api.list_repo_commits(repo)][-2:] == ["add a.bin", "initial commit"]
    with pytest.raises(RevisionNotFoundError):
        api.model_info(repo, revision=first)
    with pytest.raises(EntryNotFoundError):
        api.hf_hub_download(repo, "a.bin", cache_dir=tmp_path)


def test_access_to_a_gated_repository_is_granted_rejected_and_taken_back(anna: HfApi, bert: HfApi) -> None:
    repo = anna.create_repo("anna/gated").repo_id
    anna.update_repo_settings(repo, gated="manual")
    anna.grant_access(repo, "bert")
    (request,) = anna.list_accepted_access_requests(repo)
    assert (request.username, request.status, type(request.timestamp)) == ("bert", "accepted", datetime)
    bert.auth_check(repo)
    with pytest.raises(HfHubHTTPError, match="was let in already"):
        anna.grant_access(repo, "bert")
    anna.cancel_access_request(repo, "bert")
    assert [asked.username for asked in anna.list_pending_access_requests(repo)] == ["bert"]
    with pytest.raises(HfHubHTTPError, match="restricted"):
        bert.auth_check(repo)
    anna.reject_access_request(repo, "bert", rejection_reason="no")
    (request,) = anna.list_rejected_access_requests(repo)
    with pytest.raises(HfHubHTTPError, match="rejected already"):
        anna.reject_access_request(repo, "bert", rejection_reason="no")
    anna.accept_access_request(repo, request_id=request.request_id)
    bert.auth_check(repo)
    with pytest.raises(HfHubHTTPError, match="Nobody of that name"):
        anna.accept_access_request(repo, "carl")


def test_files_are_copied_within_a_repository_and_small_ones_between_them(api: HfApi, repo: str) -> None:
    add(api, repo, "a.txt", b"a")
    add(api, repo, "a.bin", b"\0a")
    copies = [CommitOperationCopy("a.txt", "b.txt"), CommitOperationCopy("a.bin", "b.bin")]
    api.create_commit(repo, copies, commit_message="copy")
    other = api.create_repo(f"{repo}-copy").repo_id
    source = CommitOperationCopy("a.txt", "c.txt", src_repo_id=repo, src_repo_type="model")
    api.create_commit(other, [source], commit_message="copy")
    assert api.list_repo_files(repo) == [".gitattributes", "a.bin", "a.txt", "b.bin", "b.txt"]
    assert api.list_repo_files(other) == [".gitattributes", "c.txt"]


def test_the_file_system_reads_and_removes_at_a_revision(api: HfApi, repo: str) -> None:
    add(api, repo, "data/a.txt", b"first")
    api.create_branch(repo, branch="v1")
    add(api, repo, "data/b.txt", b"second", revision="v1")
    files = HfFileSystem(endpoint=api.endpoint, token="t", skip_instance_cache=True)
    assert files.ls(f"{repo}@v1/data", detail=False) == [f"{repo}@v1/data/a.txt", f"{repo}@v1/data/b.txt"]
    assert files.cat_file(f"{repo}/data/b.txt", revision="v1") == b"second"
    assert files.modified(f"{repo}/data/a.txt") == api.list_repo_commits(repo)[0].created_at
    files.rm(f"{repo}@v1/data/a.txt")
    assert files.ls(f"{repo}/data", detail=False, refresh=True) == [f"{repo}/data/a.txt"]
    assert api.list_repo_files(repo, revision="v1") == [".gitattributes", "data/b.txt"]


@pytest.mark.parametrize(
    ("method", "address", "sentence"),
    [
        ("GET", "/api/models/local/a/discussions", "no discussions and no pull requests"),
        ("POST", "/api/models/local/a/like", "no likes"),
        ("POST", "/api/models/local/a/lfs-files/duplicate", "copies no large file"),
        ("POST", "/api/collections", "no collections"),
        ("GET", "/api/kernels/local/a", "no kernels"),
        ("GET", "/api/buckets/local/a", "no buckets"),
        ("GET", "/api/spaces/local/a/runtime", "runs no Spaces"),
    ],
)
def test_what_is_not_offered_answers_with_a_sentence(
    http: httpx.Client, method: str, address: str, sentence: str
) -> None:
    response = http.request(method, address)
    assert response.status_code == 501
    assert sentence in response.json()["error"] == response.headers["x-error-message"]
