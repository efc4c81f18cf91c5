"""Large files in parts, as the real client sends them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from starlette.types import Receive, Scope, Send

from hub.server import create_app
from tests.publishing.publications import serving

PART = 100_000
CONTENT = random.Random(7).randbytes(5 * PART + 17)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
NAME = "local/model"


class Noting:
    """The server, and every request that it got."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.requests: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests.append(f"{scope['method']} {scope['path']}")
        await self.app(scope, receive, send)


@pytest.fixture
def server(tmp_path: Path) -> Noting:
    return Noting(create_app(tmp_path / "hub", part_bytes=PART))


@pytest.fixture
def url(server: Noting) -> Iterator[str]:
    with serving(server) as address:
        HfApi(endpoint=address, token="t").create_repo(NAME)
        yield address


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, headers={"Authorization": "Bearer t"}, trust_env=False) as client:
        yield client


def test_a_large_file_arrives_in_parts_and_comes_back_whole(server: Noting, url: str, tmp_path: Path) -> None:
    api = HfApi(endpoint=url, token="t")
    api.create_commit(NAME, [CommitOperationAdd("model.safetensors", CONTENT)], commit_message="w")

    sent = [request.rpartition("/")[2] for request in server.requests if request.startswith("PUT ")]
    assert sent == ["1", "2", "3", "4", "5", "6"]
    file = api.hf_hub_download(NAME, "model.safetensors", local_dir=tmp_path / "copy")
    assert Path(file).read_bytes() == CONTENT
    assert list((tmp_path / "hub" / "uploads").iterdir()) == []
    before = len(server.requests)
    api.create_commit(NAME, [CommitOperationAdd("again.safetensors", CONTENT)], commit_message="again")
    assert not [request for request in server.requests[before:] if request.startswith("PUT ")]


def test_a_file_of_few_parts_comes_in_one_piece(server: Noting, url: str) -> None:
    addition = CommitOperationAdd("model.safetensors", CONTENT[: 3 * PART])
    HfApi(endpoint=url, token="t").create_commit(NAME, [addition], commit_message="w")
    assert len([request for request in server.requests if request.startswith("PUT ")]) == 1


def test_parts_may_come_in_any_order_and_again(http: httpx.Client) -> None:
    header, complete = _links(http)
    etags = {number: _put(http, header, number) for number in (6, 1, 5, 2, 4, 3, 3)}
    assert http.post(complete, json=_completion(etags)).status_code == 200
    assert http.post(complete, json=_completion(etags)).status_code == 200, "the first answer may have been lost"


def test_an_upload_that_is_not_whole_is_not_taken(http: httpx.Client, tmp_path: Path) -> None:
    header, complete = _links(http)
    etags = {number: _put(http, header, number) for number in range(1, 6)}
    response = http.post(complete, json=_completion(etags))
    assert (response.status_code, response.json()["error"]) == (404, "Parts of the object have not arrived: 6")
    assert http.put(header["6"], content=b"short").status_code == 422
    assert http.put(header["6"], content=b"x" * 18).status_code == 413
    etags[6] = http.put(header["6"], content=b"x" * 17).headers["etag"]
    assert http.post(complete, json=_completion(etags | {1: "other"})).status_code == 422
    assert http.post(complete, json=_completion(etags)).status_code == 422, "these bytes are another object"
    assert not (tmp_path / "hub" / "blobs" / DIGEST[:2] / DIGEST).exists()
    etags[6] = _put(http, header, 6)
    assert http.post(complete, json=_completion(etags)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"parts": 7}', b'{"parts": [7]}', b'{"parts": [{"partNumber": "1", "etag": "x"}]}'],
)
def test_a_malformed_completion_is_refused(http: httpx.Client, body: bytes) -> None:
    _, complete = _links(http)
    assert http.post(complete, content=body).status_code == 400


def test_a_part_needs_the_servers_own_link(http: httpx.Client) -> None:
    header, complete = _links(http)
    for forged in (header["1"].replace("size=5", "size=6"), header["1"].replace("local%2Fmodel", "local%2Fother")):
        assert http.put(forged, content=CONTENT[:PART]).status_code == 403
    assert http.put(header["1"].replace("/parts/1?", "/parts/7?"), content=b"x").status_code == 400
    assert http.put(header["1"].replace("/parts/1?", "/parts/0?"), content=b"x").status_code == 400
    assert http.post(complete.split("?")[0], json={"parts": []}).status_code == 403


def _links(http: httpx.Client) -> tuple[dict[str, str], str]:
    """The links of the parts, and the one that completes the upload."""
    objects = [{"oid": DIGEST, "size": len(CONTENT)}]
    body = {"operation": "upload", "objects": objects, "transfers": ["basic", "multipart"], "hash_algo": "sha256"}
    answer = http.post(f"/{NAME}.git/info/lfs/objects/batch", json=body).json()
    assert answer["transfer"] == "multipart"
    upload = answer["objects"][0]["actions"]["upload"]
    return upload["header"], upload["href"]


def _put(http: httpx.Client, header: dict[str, str], number: int) -> str:
    content = CONTENT[(number - 1) * PART : number * PART]
    response = http.put(header[str(number)], content=content)
    assert response.status_code == 200
    return str(response.headers["etag"])


def _completion(etags: dict[int, str]) -> dict[str, Any]:
    return {"oid": DIGEST, "parts": [{"partNumber": number, "etag": etag} for number, etag in sorted(etags.items())]}
