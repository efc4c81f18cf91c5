from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import CommitOperationAdd, HfApi

from hub.errors import ForbiddenError
from hub.upload_links import LIFETIME_SECONDS, UploadLinks
from hub.upload_mode import GIT_ATTRIBUTES, upload_mode

CONTENT = b"content"


def batch(http: httpx.Client, repo: str, body: object) -> httpx.Response:
    return http.post(f"/{repo}.git/info/lfs/objects/batch", json=body)


def ask_for(http: httpx.Client, repo: str, content: bytes) -> dict[str, Any]:
    oid = hashlib.sha256(content).hexdigest()
    objects = [{"oid": oid, "size": len(content)}]
    response = batch(http, repo, {"operation": "upload", "objects": objects, "hash_algo": "sha256"})
    assert response.status_code == 200
    answer: dict[str, Any] = response.json()["objects"][0]
    return answer


def test_a_large_file_comes_back_with_the_same_sha256(api: HfApi, repo: str, tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(random.Random(1).randbytes(7_000_001))
    api.create_commit(repo, [CommitOperationAdd("model.safetensors", weights)], commit_message="weights")
    expected = hashlib.sha256(weights.read_bytes()).hexdigest()
    (info,) = api.get_paths_info(repo, "model.safetensors")
    assert info.lfs is not None
    assert (info.lfs.sha256, info.lfs.size) == (expected, 7_000_001)
    local = api.hf_hub_download(repo, "model.safetensors", cache_dir=tmp_path / "cache")
    assert hashlib.sha256(Path(local).read_bytes()).hexdigest() == expected


def test_contents_are_stored_once_and_not_sent_again(
    api: HfApi, http: httpx.Client, repo: str, storage_dir: Path
) -> None:
    content = random.Random(2).randbytes(100_000)
    other = api.create_repo(f"{repo}-other").repo_id
    api.create_commit(repo, [CommitOperationAdd("a.bin", content)], commit_message="a")
    assert "actions" not in ask_for(http, repo, content)
    api.create_commit(other, [CommitOperationAdd("b.bin", content)], commit_message="b")
    stored = [path for path in (storage_dir / "blobs").rglob("*") if path.is_file()]
    assert len([path for path in stored if path.stat().st_size == 100_000]) == 1
    assert not list((storage_dir / "uploads").iterdir())


def test_other_bytes_than_announced_are_refused(http: httpx.Client, repo: str, storage_dir: Path) -> None:
    upload = ask_for(http, repo, b"announced")["actions"]["upload"]["href"]
    assert http.put(upload, content=b"different").status_code == 422
    assert http.put(upload, content=b"short").status_code == 422
    assert http.put(upload, content=b"more than was announced").status_code == 413
    assert "actions" in ask_for(http, repo, b"announced")
    assert not list((storage_dir / "uploads").iterdir())
    assert http.put(upload, content=b"announced").status_code == 200
    assert "actions" not in ask_for(http, repo, b"announced")


def test_an_upload_needs_the_servers_own_link(http: httpx.Client, repo: str) -> None:
    upload = ask_for(http, repo, CONTENT)["actions"]["upload"]["href"]
    other = hashlib.sha256(b"other").hexdigest()
    mine = hashlib.sha256(CONTENT).hexdigest()
    for forged in (
        upload.replace(mine, other), upload.replace("size=7", "size=70"), upload.split("?")[0],
        upload[:-1] + ("0" if upload[-1] != "0" else "1"), upload.replace("size=7", "size=-7"),
    ):  # fmt: skip
        assert http.put(forged, content=CONTENT).status_code == 403
    assert http.put("/lfs/objects/..%2F..%2Fescape?size=1", content=b"x").status_code == 400


def test_an_upload_link_expires() -> None:
    now = 1000.0
    links = UploadLinks(clock=lambda: now)
    fields = dict(httpx.QueryParams(links.query("0" * 64, 5, "models/local/model")))
    permit = links.check("0" * 64, fields)
    assert (permit.size, permit.repository) == (5, "models/local/model")
    now += LIFETIME_SECONDS + 1
    with pytest.raises(ForbiddenError, match="has expired"):
        links.check("0" * 64, fields)


def test_verification_tells_what_is_missing(http: httpx.Client, repo: str) -> None:
    content = b"to be verified"
    actions = ask_for(http, repo, content)["actions"]
    body = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
    assert http.post(actions["verify"]["href"], json=body).status_code == 404
    http.put(actions["upload"]["href"], content=content)
    assert http.post(actions["verify"]["href"], json=body).status_code == 200
    assert http.post(actions["verify"]["href"], json=body | {"size": 8_000}).status_code == 422


def test_a_batch_reports_each_bad_object_by_itself(http: httpx.Client, repo: str) -> None:
    good = {"oid": "a" * 64, "size": 1}
    response = batch(http, repo, {"operation": "upload", "objects": [good, {"oid": "../x", "size": 1}]})
    accepted, refused = response.json()["objects"]
    assert "upload" in accepted["actions"]
    assert refused["error"]["code"] == 400
    for body in ({}, {"operation": "download", "objects": []}, {"operation": "upload", "objects": [7]},
                 {"operation": "upload", "objects": [], "hash_algo": "md5"}):  # fmt: skip
        assert batch(http, repo, body).status_code == 400


@pytest.mark.parametrize(
    ("path", "size", "sample", "expected"),
    [
        ("README.md", 100, b"# Title", "regular"),
        ("config.json", 5 * 1024 * 1024 + 1, b"{", "lfs"),
        ("model.safetensors", 10, b"abc", "lfs"),
        ("keras/model.weights.h5", 10, b"abc", "lfs"),
        ("saved_model/variables/variables.data-00000-of-00001", 10, b"\x00\x01", "lfs"),
        ("saved_model/saved_model.pb", 10, b"abc", "lfs"),
        ("ctranslate2/model.bin", 10, b"abc", "lfs"),
        ("notes.txt", 1000, "é".encode() * 255 + b"\xc3", "regular"),
        ("latin1.txt", 1000, b"\xe9" + b"a" * 511, "lfs"),
        ("empty.bin", 0, b"", "regular"),
    ],
)
def test_name_size_and_content_decide_how_a_file_is_sent(path: str, size: int, sample: bytes, expected: str) -> None:
    assert upload_mode(path, size, sample, attributes=GIT_ATTRIBUTES.decode()) == expected


def test_a_file_larger_than_the_disk_is_refused_before_it_is_sent(http: httpx.Client, repo: str) -> None:
    objects = [{"oid": "b" * 64, "size": 2**59}]
    (refused,) = batch(http, repo, {"operation": "upload", "objects": objects}).json()["objects"]
    assert refused["error"]["code"] == 507
    assert "Received: a file of 576,460,752,303,423,488" in refused["error"]["message"]


def test_an_empty_file_is_stored(api: HfApi, repo: str, tmp_path: Path) -> None:
    api.create_commit(repo, [CommitOperationAdd("empty.bin", b"")], commit_message="empty")
    assert Path(api.hf_hub_download(repo, "empty.bin", cache_dir=tmp_path)).read_bytes() == b""
