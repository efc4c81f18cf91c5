from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HfApi

from hub import demo, server
from publishing.publisher import publish
from publishing.space_template import PLACEHOLDERS, read_template, render
from tests.publishing.publications import SPACE_REPO_ID, TEMPLATE, TOKEN, hub_at, noon, publication_of

ROOT = Path(__file__).parents[2]


def test_a_storage_folder_that_is_absent_is_named_with_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.main(["--storage-dir", str(tmp_path / "hub"), "--demo-port", str(_free_port())]) == 1
    assert capsys.readouterr().err == (
        f"The local Hub must hold a published Space. Received: no folder {tmp_path / 'hub'}. Run `make run` first.\n"
    )


def test_a_hub_without_a_space_is_named_with_the_way_out(tmp_path: Path, direct_client: None) -> None:
    (tmp_path / "hub").mkdir()
    with pytest.raises(demo.DemoError, match=r"A Space must be published\..*Run `make run` first"):
        _enter(tmp_path)


def test_a_space_that_is_not_there_is_named(tmp_path: Path, direct_client: None) -> None:
    (tmp_path / "hub").mkdir()
    with pytest.raises(demo.DemoError, match=r"Received: local/other, not on the local Hub\. Run `make run`"):
        _enter(tmp_path, space_repo_id="local/other")


def test_of_several_spaces_one_must_be_chosen(tmp_path: Path, direct_client: None) -> None:
    with server.running(tmp_path / "hub", port=0) as endpoint:
        for name in ("local/b", "local/a"):
            HfApi(endpoint=endpoint, token=TOKEN).create_repo(name, repo_type="space", space_sdk="gradio")
    with pytest.raises(demo.DemoError, match=r"Received: local/a, local/b\. Name it with --space-repo-id"):
        _enter(tmp_path)


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(demo.DemoError, match=rf"Received: {port} \(Address already in use\).*--demo-port"):
            _enter(tmp_path, demo_port=port)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "Received: sdk None"),
        ({"README.md": "---\nsdk: docker\n---\n"}, "Received: sdk 'docker'"),
        ({"README.md": "---\nsdk: docker\n---\n", "Dockerfile": "FROM x\n"}, "images whose command is CMD"),
        ({"README.md": "---\nsdk: docker\n---\n", "Dockerfile": 'CMD ["python", "x.py"]'}, r"Received: x\.py, not in"),
        ({"README.md": "---\nsdk: gradio\napp_file: ../app.py\n---\n"}, r"Received: \.\./app\.py, not in"),
        ({"README.md": "---\nsdk: gradio\n---\n"}, r"Received: app\.py, not in"),
    ],
)
def test_a_space_that_cannot_be_run_is_explained(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(demo.DemoError, match=message):
        demo.app_file_of(tmp_path)


def test_an_app_that_dies_is_reported_with_the_end_of_its_log(tmp_path: Path, direct_client: None) -> None:
    with server.running(tmp_path / "hub", port=0) as endpoint:
        api = HfApi(endpoint=endpoint, token=TOKEN)
        api.create_repo(SPACE_REPO_ID, repo_type="space", space_sdk="gradio")
        readme = b"---\ntitle: x\nemoji: x\ncolorFrom: red\ncolorTo: red\nsdk: gradio\n---\n"
        files = {"README.md": readme, "app.py": b"raise SystemExit('no model today')"}
        operations = [CommitOperationAdd(path_in_repo=path, path_or_fileobj=data) for path, data in files.items()]
        api.create_commit(SPACE_REPO_ID, operations, commit_message="x", repo_type="space")

    with pytest.raises(demo.DemoError, match=r"must start\. Received: exit status 1\.\n.*\n  no model today"):
        _enter(tmp_path)


def test_the_users_token_and_offline_mode_do_not_reach_the_app(tmp_path: Path) -> None:
    given = {"HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "1", "PATH": "/bin", "NO_PROXY": "example.org"}
    environment = demo.demo_environment(given, endpoint="http://127.0.0.1:1", options=_options(tmp_path))

    assert TOKEN not in environment.values()
    assert "HF_HUB_OFFLINE" not in environment
    assert environment["HF_ENDPOINT"] == "http://127.0.0.1:1"
    assert environment["NO_PROXY"] == "example.org,127.0.0.1,localhost"
    assert environment["PATH"] == "/bin"


def test_of_a_docker_space_the_app_that_its_image_runs_is_run(tmp_path: Path) -> None:
    for path, content in render(read_template(TEMPLATE, sdk="docker"), dict.fromkeys(PLACEHOLDERS, "x")).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    assert demo.app_file_of(tmp_path) == tmp_path / "app.py"


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_address_and_precision_and_stops_everything_on(
    stop: signal.Signals, model_folder: Path, tmp_path: Path, direct_client: None
) -> None:
    with server.running(tmp_path / "hub", port=0) as endpoint:
        publish(hub_at(endpoint), publication_of(model_folder), clock=noon)
    ports = (_free_port(), _free_port())
    process = _start(tmp_path, *ports)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == f"Demo: http://127.0.0.1:{ports[1]}\n"
        assert re.fullmatch(
            r"Answers are computed in float32 by CTranslate2 \S+ with \w+ instructions; \w+ multiplies matrices\.\n",
            process.stdout.readline(),
        )
        with urllib.request.urlopen(f"http://127.0.0.1:{ports[1]}") as response:
            assert response.status == 200
        process.send_signal(stop)
        assert process.wait(timeout=30) == 0
        assert process.communicate() == ("", ""), "nothing else is printed, no bars"
    finally:
        process.kill()
        process.communicate()
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, "a server was left running"


def _start(folder: Path, port: int, demo_port: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "hub.demo", "--storage-dir", str(folder / "hub")]
    return subprocess.Popen(
        [*command, "--port", str(port), "--demo-port", str(demo_port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )


def _enter(folder: Path, **changes: object) -> None:
    with demo.serving(_options(folder, **changes)):
        pytest.fail("the demo must not start")


def _options(folder: Path, **changes: object) -> demo.Options:
    values: dict[str, object] = {
        "storage_dir": folder / "hub",
        "port": 0,
        "demo_port": _free_port(),
        "space_repo_id": None,
        "work_dir": folder / "demo",
    }
    return demo.Options(**(values | changes))  # type: ignore[arg-type]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
