from __future__ import annotations

import hashlib
import random
from pathlib import Path

import httpx
import pytest
from huggingface_hub import CommitOperationAdd, HfApi, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import RemoteEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

WEIGHTS = random.Random(3).randbytes(2_500_000)
FILES = {
    "README.md": b"---\nlicense: mit\n---\n# Card\n",
    "model.safetensors": WEIGHTS,
    "folder/sub/é ü.txt": b"accents",
    "folder/a.json": b"{}",
}


@pytest.fixture
def commit(api: HfApi, repo: str) -> str:
    additions = [CommitOperationAdd(path, content) for path, content in FILES.items()]
    return api.create_commit(repo, additions, commit_message="files").oid


def test_a_file_is_described_as_the_client_expects(api: HfApi, repo: str, commit: str, url: str) -> None:
    large = get_hf_file_metadata(hf_hub_url(repo, "model.safetensors", endpoint=url))
    assert (large.commit_hash, large.size) == (commit, len(WEIGHTS))
    assert large.etag == hashlib.sha256(WEIGHTS).hexdigest()
    small = get_hf_file_metadata(hf_hub_url(repo, "folder/a.json", endpoint=url))
    assert small.etag == hashlib.sha1(b"blob 2\0{}").hexdigest()


def test_a_whole_revision_is_downloaded(api: HfApi, repo: str, commit: str, tmp_path: Path) -> None:
    folder = Path(api.snapshot_download(repo, revision="main", cache_dir=tmp_path))
    assert folder.name == commit
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {path: found[path] for path in FILES} == FILES
    assert set(found) == {*FILES, ".gitattributes"}


def test_a_part_of_a_revision_is_downloaded_by_pattern(api: HfApi, repo: str, commit: str, tmp_path: Path) -> None:
    folder = Path(api.snapshot_download(repo, revision=commit, cache_dir=tmp_path, allow_patterns=["folder/*"]))
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {"folder/a.json", "folder/sub/é ü.txt"}


def test_a_space_is_downloaded(api: HfApi, tmp_path: Path) -> None:
    api.create_repo("local/chat", repo_type="space", space_sdk="gradio")
    card = b"---\ntitle: Chat\nsdk: gradio\nsdk_version: 6.31.0\napp_file: app.py\n---\n"
    additions = [CommitOperationAdd("app.py", b"pass\n"), CommitOperationAdd("README.md", card)]
    api.create_commit("local/chat", additions, commit_message="app", repo_type="space")
    folder = api.snapshot_download("local/chat", repo_type="space", cache_dir=tmp_path)
    assert sorted(path.name for path in Path(folder).iterdir()) == [".gitattributes", "README.md", "app.py"]
    info = api.space_info("local/chat")
    assert info.card_data is not None
    assert info.card_data.title == "Chat"


def test_an_interrupted_download_goes_on_where_it_stopped(http: httpx.Client, repo: str, commit: str) -> None:
    address = f"/{repo}/resolve/main/model.safetensors"
    first = http.get(address, headers={"Range": "bytes=0-999999"})
    rest = http.get(address, headers={"Range": "bytes=1000000-", "If-Range": first.headers["etag"]})
    assert (first.status_code, rest.status_code) == (206, 206)
    assert rest.headers["content-range"] == f"bytes 1000000-{len(WEIGHTS) - 1}/{len(WEIGHTS)}"
    assert first.content + rest.content == WEIGHTS
    changed = http.get(address, headers={"Range": "bytes=1000000-", "If-Range": '"another"'})
    assert (changed.status_code, changed.content) == (200, WEIGHTS)
    beyond = http.get(address, headers={"Range": f"bytes={len(WEIGHTS)}-"})
    assert beyond.status_code == 416


def test_the_client_resumes_a_partial_download(api: HfApi, repo: str, commit: str, tmp_path: Path, url: str) -> None:
    from huggingface_hub.file_download import http_get

    with (tmp_path / "partial").open("w+b") as file:
        file.write(WEIGHTS[:1_000_000])
        address = hf_hub_url(repo, "model.safetensors", endpoint=url)
        http_get(address, file, resume_size=1_000_000, expected_size=len(WEIGHTS))
    assert (tmp_path / "partial").read_bytes() == WEIGHTS


def test_a_head_request_has_no_body(http: httpx.Client, repo: str, commit: str) -> None:
    response = http.head(f"/{repo}/resolve/main/model.safetensors")
    assert response.content == b""
    assert response.headers["content-length"] == str(len(WEIGHTS))
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["x-linked-size"] == str(len(WEIGHTS))


def test_what_is_missing_raises_the_clients_own_errors(api: HfApi, repo: str, commit: str, tmp_path: Path) -> None:
    with pytest.raises(RemoteEntryNotFoundError):
        api.hf_hub_download(repo, "missing.txt", cache_dir=tmp_path)
    with pytest.raises(RevisionNotFoundError):
        api.hf_hub_download(repo, "README.md", revision="missing", cache_dir=tmp_path)
    with pytest.raises(RepositoryNotFoundError):
        api.hf_hub_download("local/missing", "README.md", cache_dir=tmp_path)
    assert api.file_exists(repo, "README.md")
    assert not api.file_exists(repo, "missing.txt")
    assert not api.file_exists(repo, "README.md", revision="missing")


def test_a_folder_is_listed_with_its_own_entries(api: HfApi, repo: str, commit: str) -> None:
    def paths(**options: object) -> list[str]:
        return [entry.path for entry in api.list_repo_tree(repo, **options)]

    assert paths() == [".gitattributes", "README.md", "folder", "model.safetensors"]
    assert paths(path_in_repo="folder") == ["folder/a.json", "folder/sub"]
    assert paths(path_in_repo="folder/sub") == ["folder/sub/é ü.txt"]
    assert paths(path_in_repo="folder", recursive=True) == [
        "folder/a.json",
        "folder/sub",
        "folder/sub/é ü.txt",
    ]
    with pytest.raises(RemoteEntryNotFoundError):
        paths(path_in_repo="missing")


def test_a_long_listing_comes_in_pages(api: HfApi, repo: str) -> None:
    additions = [CommitOperationAdd(f"{number:04}.txt", b"x") for number in range(1100)]
    api.create_commit(repo, additions, commit_message="many")
    assert len(list(api.list_repo_tree(repo))) == 1101


def test_the_last_change_of_each_file_is_told_on_request(api: HfApi, repo: str, commit: str) -> None:
    later = api.create_commit(repo, [CommitOperationAdd("folder/a.json", b"[]")], commit_message="later").oid
    entries = {entry.path: entry for entry in api.list_repo_tree(repo, expand=True)}
    assert entries["README.md"].last_commit.oid == commit
    assert entries["folder"].last_commit.oid == later


@pytest.mark.parametrize(
    "path",
    ["..%2f..%2fhub.json", "%2e%2e/%2e%2e/x", "../../../etc/passwd", "/etc/passwd", "a%00b", "%ff%fe", "..."],
)
def test_an_address_never_leaves_the_repository(http: httpx.Client, repo: str, path: str) -> None:
    for address in (
        f"/{repo}/resolve/main/{path}",
        f"/api/models/{repo}/tree/main/{path}",
        f"/{repo}/resolve/{path}/x",
        f"/api/models/{repo}/revision/{path}",
        f"/api/models/local/{path}",
    ):
        request = http.build_request("GET", "/")
        request.url = request.url.copy_with(raw_path=address.encode())
        assert http.send(request).status_code == 404


def test_a_file_is_never_run_by_a_browser(api: HfApi, http: httpx.Client, repo: str) -> None:
    page = [CommitOperationAdd("page.html", b"<script>alert(1)</script>")]
    api.create_commit(repo, page, commit_message="page")
    response = http.get(f"/{repo}/resolve/main/page.html")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert "sandbox" in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"
