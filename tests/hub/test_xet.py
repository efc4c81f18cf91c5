"""Uploads by clients that have `hf_xet` and were told nothing."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pyarrow
import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import InvalidRequestError
from hub.shards import read_shard
from hub.xorbs import read_xorb

UPLOAD = """
import json, sys
from pathlib import Path
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.utils._runtime import is_xet_available
assert is_xet_available()
endpoint, repo, folder = sys.argv[1:]
api = HfApi(endpoint=endpoint, token="hf_a_token")
api.create_repo(repo, exist_ok=True)
paths = sorted(Path(folder).iterdir())
api.upload_folder(repo_id=repo, folder_path=folder, commit_message="a folder")
additions = [CommitOperationAdd(f"copy/{path.name}", path.read_bytes()) for path in paths]
api.create_commit(repo, additions, commit_message="bytes")
infos = api.model_info(repo, files_metadata=True).siblings
print(json.dumps({info.rfilename: info.lfs.sha256 for info in infos if info.lfs}))
"""


def upload(url: str, repo: str, files: dict[str, bytes], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """What a client of its own, with an empty cache, makes of the files."""
    folder = tmp_path / "files"
    folder.mkdir(exist_ok=True)
    for path, content in files.items():
        (folder / path).write_bytes(content)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    settings = {"HF_HOME": str(tmp_path / "home"), "NO_PROXY": "127.0.0.1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-c", UPLOAD, url, repo, str(folder)]
    return subprocess.run(command, env=kept | settings, capture_output=True, text=True, check=False)


def test_a_client_with_xet_uploads_without_being_told_anything(url: str, api: HfApi, name: str, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    files = {
        "noise.bin": random.bytes(3_000_000),
        "text.bin": b"the same words over and over \x00" * 60_000,
        # Bytes of one place in each number resemble each other: these are sent sorted by place.
        "weights.safetensors": random.normal(0, 0.02, 500_001).astype(np.float32).tobytes(),
        "small.npy": b"\x93NUMPY",
    }
    result = upload(url, name, files, tmp_path)
    assert result.returncode == 0, result.stderr
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    assert json.loads(result.stdout) == digests | {f"copy/{path}": digest for path, digest in digests.items()}
    for path, content in files.items():
        assert Path(api.hf_hub_download(name, path, cache_dir=tmp_path / "cache")).read_bytes() == content


def test_nothing_of_an_upload_in_chunks_is_left_beside_the_files(
    url: str, name: str, storage_dir: Path, tmp_path: Path
) -> None:
    assert upload(url, name, {"noise.bin": os.urandom(300_000)}, tmp_path).returncode == 0
    assert list((storage_dir / "uploads").glob("xet-*")) == []


FILE = bytes(range(256)) * 40
SHA256 = hashlib.sha256(FILE).hexdigest()
XORB = "1" * 64


def chunk(content: bytes, compression: int = 0) -> bytes:
    """A chunk of a xorb as the protocol has it."""
    sent = {
        0: content,
        1: pyarrow.compress(content, codec="lz4", asbytes=True),
        2: pyarrow.compress(b"".join(content[place::4] for place in range(4)), codec="lz4", asbytes=True),
    }[compression]
    sizes = (b"\0" + len(sent).to_bytes(3, "little"), bytes([compression]) + len(content).to_bytes(3, "little"))
    return b"".join(sizes) + sent


def hash_bytes(text: str) -> bytes:
    return b"".join(bytes.fromhex(text[start : start + 16])[::-1] for start in range(0, 64, 16))


def shard(*runs: tuple[int, int, int], sha256: str = SHA256, xorb: str = XORB) -> bytes:
    """A shard of one file; a run is the first chunk, the one after the last, and the bytes."""
    header = b"HFRepoMetaData\0UigEj{\x81W\x83\xa5\xbd\xd9\\\xcd\xd1J\xa9" + struct.pack("<QQ", 2, 0)
    file = b"\x02" * 32 + struct.pack("<IIQ", 1 << 30, len(runs), 0)
    entries = b"".join(hash_bytes(xorb) + struct.pack("<IIII", 0, size, start, end) for start, end, size in runs)
    return header + file + entries + hash_bytes(sha256) + bytes(16) + b"\xff" * 32 + bytes(16)


@pytest.fixture
def session(http: httpx.Client, repo: str) -> httpx.Client:
    """A client of an upload session."""
    answer = http.get(f"/api/models/{repo}/xet-write-token/main").json()
    headers = {"Authorization": f"Bearer {answer['accessToken']}"}
    return httpx.Client(base_url=answer["casUrl"], headers=headers, trust_env=False)


def send_xorb(session: httpx.Client, content: bytes) -> httpx.Response:
    return session.post(f"/v1/xorbs/default/{XORB}", content=content)


def commit_file(http: httpx.Client, repo: str) -> httpx.Response:
    lines = [
        {"key": "header", "value": {"summary": "file"}},
        {"key": "lfsFile", "value": {"path": "file.bin", "algo": "sha256", "oid": SHA256, "size": len(FILE)}},
    ]
    return http.post(f"/api/models/{repo}/commit/main", content="\n".join(map(json.dumps, lines)))


def test_a_file_is_made_of_chunks_however_they_were_compressed(
    http: httpx.Client, session: httpx.Client, repo: str
) -> None:
    pieces = [FILE[:1001], FILE[1001:5000], FILE[5000:]]
    xorb = b"".join(chunk(piece, compression) for compression, piece in enumerate(pieces)) + b"XETBLOB and a footer"
    assert send_xorb(session, xorb).json() == {"was_inserted": True}
    assert send_xorb(session, xorb).json() == {"was_inserted": False}
    runs = [(0, 2, 5000), (2, 3, len(FILE) - 5000)]
    assert session.post("/v1/shards", content=shard(*runs)).json() == {"result": 1}
    # Asked again, because the answer was lost.
    assert session.post("/v1/shards", content=shard(*runs)).json() == {"result": 1}
    assert commit_file(http, repo).status_code == 200
    assert http.get(f"/{repo}/resolve/main/file.bin").content == FILE


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (shard((0, 1, len(FILE)), xorb="2" * 64), 400, "must be uploaded first"),
        (shard((0, 1, len(FILE) - 1)), 400, "have 10239 bytes. Received: 10240"),
        (shard((0, 2, 2 * len(FILE))), 400, "Received: 10240"),
        (shard((0, 1, len(FILE)), sha256="3" * 64), 422, "does not match its sha256"),
        (shard((0, 1, len(FILE)))[:-60], 400, "A shard ends after its files"),
        (b"no shard", 400, "begins with its mark"),
    ],
)
def test_a_file_that_its_chunks_do_not_make_is_refused(
    http: httpx.Client, session: httpx.Client, repo: str, content: bytes, status: int, message: str
) -> None:
    send_xorb(session, chunk(FILE))
    response = session.post("/v1/shards", content=content)
    assert response.status_code == status
    assert message in response.json()["error"]
    assert commit_file(http, repo).status_code == 400


def test_the_digest_of_a_file_sent_elsewhere_is_no_file(
    http: httpx.Client, api: HfApi, session: httpx.Client, repo: str
) -> None:
    api.create_repo(f"{repo}-elsewhere", private=True)
    api.create_commit(f"{repo}-elsewhere", [CommitOperationAdd("file.bin", FILE)], commit_message="secret")
    for runs in ([], [(0, 1, len(FILE))]):
        assert session.post("/v1/shards", content=shard(*runs)).status_code in (400, 422)
    assert commit_file(http, repo).status_code == 400


@pytest.mark.parametrize(
    "content", [b"\1" + bytes(7), chunk(FILE)[:-1], chunk(FILE)[:5], b"\0" + bytes(4) + b"\xff\xff\xff"]
)
def test_what_is_no_xorb_is_refused(session: httpx.Client, content: bytes) -> None:
    assert send_xorb(session, content).status_code == 400


def test_a_session_is_for_who_may_write_and_for_nothing_else(
    http: httpx.Client, url: str, session: httpx.Client, repo: str
) -> None:
    visitor = httpx.get(f"{url}/api/models/{repo}/xet-write-token/main", trust_env=False)
    assert visitor.status_code == 401
    for headers in ({}, {"Authorization": "Bearer 9999999999.forged.models/local/model"}):
        refused = httpx.post(f"{session.base_url}v1/shards", content=b"", headers=headers, trust_env=False)
        assert refused.status_code == 403
    elsewhere = httpx.post(f"{url}/xet/another/v1/shards", headers=dict(session.headers), trust_env=False)
    assert elsewhere.status_code == 403
    assert session.get(f"/v1/chunks/default/{XORB}").status_code == 404
    assert session.post("/v1/xorbs/default/..%2f..%2fescape", content=chunk(FILE)).status_code in (400, 404)


@given(content=st.binary(max_size=400), known=st.booleans())
def test_no_bytes_break_the_reading_of_shards_and_xorbs(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, known: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "xorb"
    path.write_bytes(content)
    try:
        for file in read_shard(shard()[:48] + content if known else content):
            assert file.size >= 0
        xorb = read_xorb(path)
        assert sum(len(piece) for piece in xorb.read(0, 10)) == sum(piece.size for piece in xorb.chunks)
    except InvalidRequestError:
        return
