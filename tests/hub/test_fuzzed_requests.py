"""Requests that no client would send: none leaves the storage folder, none ends in an error of the server's own."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.access import Identity
from hub.server import running
from tests.hub.odd_requests import CONTENT, SHA256, Request, requests

SECRET = b"what lies outside of the storage folder"
# Whoever sends another word, or none, is nobody.
USERS = {
    "owner": Identity("owner", "write"),
    "writer": Identity("local", "write", frozenset({"local"})),
    "reader": Identity("anna", "read"),
}
KEPT = ("owner/model", "owner/private")  # the fuzzed requests may not write here


@dataclass
class Target:
    """A server with something to lose."""

    url: str
    folder: Path  # around the storage

    def send(self, request: Request) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=20)
        try:
            connection.request(request.method, request.address, request.body, request.headers)
            answer = connection.getresponse()
            return answer.status, answer.read() + str(answer.headers).encode()
        finally:
            connection.close()

    def make(self, repo: str) -> None:
        """A repository of one large file on two branches, unless it is there."""
        if (self.folder / "hub" / "repos" / "models" / repo).is_dir():
            return
        api = HfApi(endpoint=self.url, token="owner")
        api.create_repo(repo, private=repo.endswith("private"))
        api.create_commit(repo, [CommitOperationAdd("model.bin", CONTENT)], commit_message="first")
        api.create_branch(repo, branch="v1")

    def outside(self) -> dict[str, bytes]:
        """Every file around the storage folder."""
        storage = self.folder / "hub"
        files = (path for path in self.folder.rglob("*") if path.is_file() and not path.is_relative_to(storage))
        return {str(path): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("fuzzed")
    (folder / "secret.txt").write_bytes(SECRET)
    with running(folder / "hub", port=0, authenticate=USERS.get) as url:
        target = Target(url, folder)
        for repo in (*KEPT, "local/model"):
            target.make(repo)
        yield target


@settings(max_examples=750, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=requests())
def test_no_request_escapes_or_breaks_the_server(target: Target, request: Request) -> None:
    target.make("local/model")  # a request may well have deleted it
    status, answered = target.send(request)

    # 501: what the server says it does not offer; 507: more bytes announced than the disk has left.
    assert status < 500 or status in (501, 507), (status, answered)
    assert SECRET not in answered
    assert b"root:" not in answered
    assert target.outside() == {str(target.folder / "secret.txt"): SECRET}


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=requests(), token=st.sampled_from([None, "Bearer forged", "Bearer reader"]))
def test_no_request_without_the_right_to_changes_anything(target: Target, request: Request, token: str | None) -> None:
    headers = {name: value for name, value in request.headers.items() if name != "Authorization"}
    headers |= {"Authorization": token} if token is not None else {}
    before = everything_stored(target)

    status, answered = target.send(replace(request, headers=headers))

    assert status < 500 or status == 501, (status, answered)
    assert everything_stored(target) == before


def test_after_all_that_what_was_there_is_whole(target: Target, tmp_path: Path) -> None:
    api = HfApi(endpoint=target.url, token="owner")
    for repo in KEPT:
        file = api.hf_hub_download(repo, "model.bin", revision="v1", cache_dir=tmp_path)
        assert Path(file).read_bytes() == CONTENT


@pytest.mark.parametrize(("size", "status"), [(len(CONTENT) + 1, 422), (2**59, 507), (-1, 400), (2**61, 400)])
def test_a_wrong_or_monstrous_size_is_refused(target: Target, size: int, status: int) -> None:
    body = json.dumps(
        {"operation": "upload", "objects": [{"oid": "1" * 64 if status == 507 else SHA256, "size": size}]}
    )
    request = Request(
        "POST", "/local/model.git/info/lfs/objects/batch", body.encode(), {"Authorization": "Bearer writer"}
    )
    code, answered = target.send(request)
    assert (code if code != 200 else first_error(answered)) == status


def first_error(answered: bytes) -> Any:
    content, _ = json.JSONDecoder().raw_decode(answered.decode())
    return content["objects"][0]["error"]["code"]


def everything_stored(target: Target) -> dict[str, bytes]:
    folder = target.folder / "hub"
    return {
        str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and "uploads" not in path.parts
    }
