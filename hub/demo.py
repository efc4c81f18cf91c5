"""Runs a published Space from the local Hub: `python -m hub.demo --storage-dir output/hub`.

The Space's `main` is downloaded with the real client and its app started as its README says, with HF_ENDPOINT
set to the local Hub: what runs is what was published, nothing from the working tree.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from hub.errors import PortOccupiedError, StorageUnusableError
from hub.front_matter import metadata
from hub.server import DEFAULT_PORT, running

if TYPE_CHECKING:
    from huggingface_hub import HfApi

HOST = "127.0.0.1"
_PYTHON_COMMAND = re.compile(r'^CMD \["python3?", "([^"]+)"\]$', re.MULTILINE)
_ANSWERS = re.compile(r"^.*?(Answers are computed in .*)$", re.MULTILINE)  # in the log of the project's own Space
LOCAL_TOKEN = "local"  # the local Hub takes any word; this one is no secret
START_SECONDS = 120.0
STOP_SECONDS = 10.0
# The client reads these when it is imported: no bars, and nobody else is asked.
QUIET_CLIENT = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
WAY_OUT = "Run `make run` first."

logger = logging.getLogger(__name__)


class DemoError(RuntimeError):
    """The demo cannot be shown; the message says why and what to do."""

    user_message = True


@dataclass(frozen=True)
class Options:
    """Options of the command."""

    storage_dir: Path
    port: int | None  # of the local Hub; None: its usual one, or a free one where that is taken
    demo_port: int
    space_repo_id: str | None  # None: the only Space there is
    work_dir: Path  # downloads and the app's log


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_options(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ.update(direct_loopback_environment(os.environ) | QUIET_CLIENT)
    try:
        with serving(options) as (address, app):
            sys.stdout.write(f"Demo: {address}\n" + "".join(f"{line}\n" for line in _answer_lines(options)))
            sys.stdout.flush()
            status = app.wait()
    except KeyboardInterrupt:
        return 0
    except (DemoError, PortOccupiedError, StorageUnusableError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(f"The demo ended by itself, exit status {status}; its log is {_log_file(options)}.\n")
    return 1


@contextlib.contextmanager
def serving(options: Options) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Runs the Hub and the demo while the context lasts; yields the demo's address, once it answers, and its process.

    Raises:
      DemoError: nothing is published, a port is taken, or the app does not start.
    """
    _check_storage(options.storage_dir)
    _check_port(options.demo_port)
    with running(options.storage_dir, port=options.port) as endpoint:
        environment = demo_environment(os.environ, endpoint=endpoint, options=options)
        space = _download(endpoint, options)
        app_file = app_file_of(space)
        options.work_dir.mkdir(parents=True, exist_ok=True)
        with _log_file(options).open("wb") as log:
            app = subprocess.Popen(
                [sys.executable, str(app_file)],
                cwd=space,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches only this process, which then stops the app
            )
        try:
            yield _wait_until_up(app, options), app
        finally:
            _stop(app)


def demo_environment(environment: Mapping[str, str], *, endpoint: str, options: Options) -> dict[str, str]:
    """Returns the app's environment: the local Hub, the demo's port, nothing sent elsewhere, and not the user's
    token."""
    kept = {name: value for name, value in environment.items() if name != "HF_HUB_OFFLINE"}
    return (
        kept
        | direct_loopback_environment(environment)
        | {
            "HF_ENDPOINT": endpoint,
            "HF_TOKEN": LOCAL_TOKEN,
            "HF_HOME": str(options.work_dir.resolve() / "cache"),
            **QUIET_CLIENT,
            "GRADIO_SERVER_NAME": HOST,
            "GRADIO_SERVER_PORT": str(options.demo_port),
            "GRADIO_ANALYTICS_ENABLED": "False",
            "PYTHONUNBUFFERED": "1",
        }
    )


def app_file_of(space: Path) -> Path:
    """Returns the file that a Gradio Space's README, or a Docker Space's Dockerfile, names as its app.

    The Dockerfile's image is not built: the app runs with this project's packages.

    Raises:
      DemoError: it is another kind of Space, or the file is not in it.
    """
    readme, dockerfile = space / "README.md", space / "Dockerfile"
    settings = metadata(readme.read_text(encoding="utf-8")) if readme.is_file() else {}
    sdk, name = settings.get("sdk"), str(settings.get("app_file", "app.py"))
    if sdk == "docker" and dockerfile.is_file():
        command = _PYTHON_COMMAND.search(dockerfile.read_text(encoding="utf-8"))
        if command is None:
            raise DemoError(f'The demo runs images whose command is CMD ["python", FILE]. Received: {dockerfile}.')
        name = command[1]
    elif sdk != "gradio":
        raise DemoError(
            f"The demo runs Spaces whose README names `sdk: gradio`, or `docker` with a Dockerfile. "
            f"Received: sdk {sdk!r} in {readme}."
        )
    app_file = (space / name).resolve()
    if not app_file.is_relative_to(space.resolve()) or not app_file.is_file():
        raise DemoError(f"The Space's app must be in it. Received: {name}, not in {space}.")
    return app_file


def direct_loopback_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables that make HTTP clients reach loopback directly where a proxy is set."""
    hosts = ",".join(filter(None, (environment.get("NO_PROXY") or environment.get("no_proxy"), HOST, "localhost")))
    return {"NO_PROXY": hosts, "no_proxy": hosts}


def _download(endpoint: str, options: Options) -> Path:
    """Returns the Space's `main` in a folder of its own."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    api = HfApi(endpoint=endpoint, token=LOCAL_TOKEN)
    repo_id = options.space_repo_id or _only_space(api, options.storage_dir)
    try:
        commit = str(api.space_info(repo_id).sha)
    except RepositoryNotFoundError as error:
        raise DemoError(f"The Space must be published. Received: {repo_id}, not on the local Hub. {WAY_OUT}") from error
    folder = options.work_dir / "spaces" / commit
    return Path(api.snapshot_download(repo_id, repo_type="space", revision=commit, local_dir=folder))


def _only_space(api: HfApi, storage_dir: Path) -> str:
    spaces = sorted(space.id for space in api.list_spaces())
    if not spaces:
        raise DemoError(f"A Space must be published. Received: {storage_dir} without one. {WAY_OUT}")
    if len(spaces) > 1:
        raise DemoError(f"One Space must be chosen. Received: {', '.join(spaces)}. Name it with --space-repo-id.")
    return spaces[0]


def _check_storage(storage_dir: Path) -> None:
    if not storage_dir.is_dir():
        raise DemoError(f"The local Hub must hold a published Space. Received: no folder {storage_dir}. {WAY_OUT}")


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise DemoError(
                f"The demo needs a free port. Received: {port} ({error.strerror}). Choose another with --demo-port."
            ) from error


def _wait_until_up(app: subprocess.Popen[bytes], options: Options) -> str:
    address = f"http://{HOST}:{options.demo_port}"
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if app.poll() is not None:
            raise DemoError(f"The Space's app must start. Received: exit status {app.returncode}.{_log_tail(options)}")
        with contextlib.suppress(URLError, OSError), opener.open(address, timeout=5):
            return address
        time.sleep(0.2)
    raise DemoError(f"The Space's app must answer in {START_SECONDS:.0f} s. Received: no answer.{_log_tail(options)}")


def _stop(app: subprocess.Popen[bytes]) -> None:
    app.terminate()
    try:
        app.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        app.kill()
        app.wait()


def _log_file(options: Options) -> Path:
    return options.work_dir / "app.log"


def _answer_lines(options: Options) -> list[str]:
    """Returns the lines in which the app says how it answers."""
    return _ANSWERS.findall(_log_file(options).read_text(errors="replace"))


def _log_tail(options: Options) -> str:
    lines = _log_file(options).read_text(errors="replace").splitlines()[-10:]
    return "".join(f"\n  {line}" for line in ["Its log ends with:", *lines])


def parse_options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m hub.demo", description="Run a Space from the local Hub.")
    parser.add_argument("--storage-dir", type=Path, default=Path("output/hub"), help="folder of the local Hub")
    default = f"{DEFAULT_PORT}, or a free one where that is taken"
    parser.add_argument("--port", type=int, help=f"port of the local Hub ({default})")
    parser.add_argument("--demo-port", type=int, default=7860, help="port of the demo")
    parser.add_argument("--space-repo-id", help="Space to run (default: the only one there is)")
    parser.add_argument("--work-dir", type=Path, help="downloads and log (default: demo/ beside the storage folder)")
    given = parser.parse_args(arguments)
    return Options(
        storage_dir=given.storage_dir,
        port=given.port,
        demo_port=given.demo_port,
        space_repo_id=given.space_repo_id,
        work_dir=given.work_dir or given.storage_dir.resolve().parent / "demo",
    )


if __name__ == "__main__":
    sys.exit(main())
