from __future__ import annotations

import hashlib
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError

from hub.access import Identity
from hub.errors import PortOccupiedError, StorageUnusableError
from hub.server import DEFAULT_PORT, running, served_folder

ROOT = Path(__file__).parents[2]


@contextmanager
def server_process(
    storage_dir: Path, *, limit_bytes: int | None = None, port: int | None = 0
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`python -m hub` on a free port; `limit_bytes` makes every larger file fail as on a full disk."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit_bytes}, {limit_bytes}));"
    code = f"{limit if limit_bytes else ''}import sys; from hub.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "--storage-dir", str(storage_dir)]
    command += [] if port is None else ["--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            lines = iter(process.stderr.readline, "")
            address = next((line for line in lines if " on http://" in line), "")
            assert address, "the server did not start"
            yield address.split(" on ")[1].strip(), process
        finally:
            process.kill()


def test_what_was_stored_is_there_after_reopening(tmp_path: Path) -> None:
    content = random.Random(4).randbytes(50_000)
    with running(tmp_path, port=0) as url:
        api = HfApi(endpoint=url, token="t")
        api.create_repo("local/model", private=True)
        oid = api.create_commit("local/model", [CommitOperationAdd("w.bin", content)], commit_message="w").oid
        api.create_tag("local/model", tag="v1")
    with running(tmp_path, port=0) as url:
        api = HfApi(endpoint=url, token="t")
        info = api.model_info("local/model", revision="v1")
        assert (info.sha, info.private) == (oid, True)
        local = api.hf_hub_download("local/model", "w.bin", cache_dir=tmp_path / "cache")
        assert Path(local).read_bytes() == content


def test_a_hub_of_the_same_folder_is_used_and_left_running(tmp_path: Path) -> None:
    with running(tmp_path / "hub", port=0) as url:
        port = int(url.rpartition(":")[2])
        with running(tmp_path / "x" / ".." / "hub", port=port) as same:
            assert same == url
        assert served_folder("127.0.0.1", port) == tmp_path / "hub"
    assert served_folder("127.0.0.1", port) is None


def test_a_port_taken_by_another_hub_is_an_error_that_names_its_folder(tmp_path: Path) -> None:
    with running(tmp_path / "one", port=0) as url:
        port = int(url.rpartition(":")[2])
        message = f"needs port {port} for .*two, but a hub of another folder .*one. listens there. Stop it"
        with pytest.raises(PortOccupiedError, match=message), running(tmp_path / "two", port=port):
            pass
    assert PortOccupiedError.user_message


def test_a_port_taken_by_another_program_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        answer = threading.Thread(target=lambda: other.accept()[0].close(), daemon=True)
        answer.start()
        with (
            pytest.raises(PortOccupiedError, match="another program listens there"),
            running(tmp_path, port=port),
        ):
            pass
        answer.join()


def test_without_a_port_hubs_of_several_folders_run_side_by_side(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path / "one") as one, running(tmp_path / "two") as two:
        for url, folder in ((one, "one"), (two, "two")):
            assert served_folder("127.0.0.1", int(url.rpartition(":")[2])) == tmp_path / folder
    told = caplog.messages[-1]
    assert told.startswith(f"Port {DEFAULT_PORT} is taken by ")
    assert told.endswith(f"the local Hub of {tmp_path / 'two'} is at {two} meanwhile.")


def test_two_commands_without_a_port_serve_two_folders(tmp_path: Path) -> None:
    with (
        server_process(tmp_path / "one", port=None) as (one, _),
        server_process(tmp_path / "two", port=None) as (two, _),
    ):
        ports = [int(url.rpartition(":")[2]) for url in (one, two)]
        assert [served_folder("127.0.0.1", port) for port in ports] == [tmp_path / "one", tmp_path / "two"]


def test_a_storage_folder_that_cannot_be_one_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with (
        pytest.raises(StorageUnusableError, match="must be a writable folder"),
        running(tmp_path / "file", port=0),
    ):
        pass


def test_tokens_can_be_given_meanings(tmp_path: Path) -> None:
    users = {"reader": Identity("anna", "read"), "writer": Identity("ben", "write")}
    with running(tmp_path, port=0, authenticate=users.get) as url:
        HfApi(endpoint=url, token="writer").create_repo("local/model", private=True)
        reader = HfApi(endpoint=url, token="reader")
        assert reader.whoami()["name"] == "anna"
        assert reader.list_repo_files("local/model") == [".gitattributes"]
        with pytest.raises(HfHubHTTPError, match="may only read") as caught:
            reader.create_branch("local/model", branch="v1")
        assert caught.value.response.status_code == 403
        with pytest.raises(HfHubHTTPError, match="Invalid user token") as caught:
            HfApi(endpoint=url, token="forged").whoami()
        assert caught.value.response.status_code == 401


def test_no_token_is_stored(tmp_path: Path) -> None:
    with running(tmp_path, port=0) as url:
        api = HfApi(endpoint=url, token="hf_marked_value")
        api.create_repo("local/model")
        api.create_commit("local/model", [CommitOperationAdd("w.bin", b"\0w")], commit_message="w")
    stored = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(stored) > 5
    assert not [path for path in stored if b"hf_marked_value" in path.read_bytes()]


def test_a_killed_server_leaves_no_half_commit_and_goes_on_where_it_was(tmp_path: Path) -> None:
    content = random.Random(5).randbytes(300_000)
    with server_process(tmp_path) as (url, process):
        api = HfApi(endpoint=url, token="t")
        api.create_repo("local/model")
        head = api.model_info("local/model").sha
        _leave_half_an_upload(url, content)
        _leave_half_a_commit(url)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with server_process(tmp_path) as (url, _):
        api = HfApi(endpoint=url, token="t")
        assert api.model_info("local/model").sha == head
        assert api.list_repo_files("local/model") == [".gitattributes"]
        api.create_commit("local/model", [CommitOperationAdd("w.bin", content)], commit_message="w")
        local = api.hf_hub_download("local/model", "w.bin", cache_dir=tmp_path / "cache")
        assert hashlib.sha256(Path(local).read_bytes()).digest() == hashlib.sha256(content).digest()


def test_a_full_disk_refuses_the_upload_and_keeps_what_was_there(tmp_path: Path) -> None:
    with server_process(tmp_path, limit_bytes=200_000) as (url, _):
        api = HfApi(endpoint=url, token="t")
        api.create_repo("local/model")
        content = random.Random(6).randbytes(3_000_000)
        with pytest.raises(RuntimeError, match=r"Error while uploading 'w\.bin'") as caught:
            api.create_commit("local/model", [CommitOperationAdd("w.bin", content)], commit_message="w")
        assert "The Hub's disk is full; nothing was changed." in str(caught.value.__cause__)
        assert not list((tmp_path / "uploads").iterdir())
        assert api.list_repo_files("local/model") == [".gitattributes"]
        api.create_commit("local/model", [CommitOperationAdd("small.txt", b"x")], commit_message="small")


def test_the_command_ends_cleanly_when_asked_to(tmp_path: Path) -> None:
    with server_process(tmp_path) as (_, process):
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def test_an_unknown_address_is_not_found(http: httpx.Client) -> None:
    for address in ("/api/nothing", "/api/models/a/b/c/d", "/a/b/c/d/e/f", "/v1/telemetry"):
        response = http.get(address)
        assert response.status_code == 404
        assert "x-error-code" not in response.headers


def _leave_half_an_upload(url: str, content: bytes) -> None:
    oid = hashlib.sha256(content).hexdigest()
    body = {"operation": "upload", "objects": [{"oid": oid, "size": len(content)}]}
    headers = {"Authorization": "Bearer t"}
    answer = httpx.post(f"{url}/local/model.git/info/lfs/objects/batch", json=body, headers=headers, trust_env=False)
    link = answer.json()["objects"][0]["actions"]["upload"]["href"].removeprefix(url)
    _send_raw(url, f"PUT {link} HTTP/1.1", len(content), content[:200_000])


def _leave_half_a_commit(url: str) -> None:
    start = b'{"key": "header", "value": {"summary": "never"}}\n{"key": "deletedFile", '
    _send_raw(url, "POST /api/models/local/model/commit/main HTTP/1.1", 10_000, start)


_open_connections: list[socket.socket] = []


def _send_raw(url: str, request_line: str, length: int, body: bytes) -> None:
    """Send a part of a request and keep the connection open."""
    host, _, port = url.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)))
    head = f"{request_line}\r\nHost: hub\r\nAuthorization: Bearer t\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode() + body)
    _open_connections.append(connection)
