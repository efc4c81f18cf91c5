"""One case of the fault matrix: a server that goes wrong at one request, a publisher, and what is left of both."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import uvicorn
from huggingface_hub import HfApi
from huggingface_hub.utils import _http
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.names import repo_id
from hub.repository import BRANCHES, Repository
from hub.server import create_app
from hub.storage import Storage
from pipeline.components.hf_pusher.card import CardFacts
from pipeline.components.hf_pusher.connection import impatient_client, loopback_client
from pipeline.components.hf_pusher.errors import HubError
from pipeline.components.hf_pusher.hub_client import Hub
from pipeline.components.hf_pusher.plan import Plan, PlannedFile, RemoteFile, revision_in_manifest
from pipeline.components.hf_pusher.publication import Publication, SpaceTarget
from pipeline.components.hf_pusher.publisher import MAIN, publish
from pipeline.components.hf_pusher.revision_names import dated_revisions
from pipeline.components.hf_pusher.space_template import read_template
from tests.publish.faulty_hub import answer, cut, hang, nowhere
from tests.publish.publishing import REPO_ID, SPACE_REPO_ID, TEMPLATE, TOKEN, noon

EARLIER: Final = "earlier"
# A first publication, and one that follows an earlier one and deletes its revision.
SCENARIOS: Final = ("first", "next")
STATUSES: Final = (401, 403, 404, 409, 412, 413, 429, 500, 503)
FAULTS: Final = (
    *(f"answers {status}" for status in STATUSES),
    "answers 503 from then on",
    "hangs",
    "cuts before acting",
    "cuts after acting",
    "server killed before acting",  # and refuses connections for a second
    "server killed after acting",
    "publisher killed before acting",
    "publisher killed after acting",
)
DOWN_SECONDS: Final = 1.0
LIMIT_SECONDS: Final = 120.0
_PUBLISHED, _REFUSED = 0, 3


@dataclass(frozen=True)
class Case:
    scenario: str
    number: int  # of the request, from 0
    request: str
    fault: str

    def __str__(self) -> str:
        return f"{self.scenario} publication, request {self.number} ({self.request}), {self.fault}"


@dataclass
class Door:
    """An ASGI application that does `fault` at its request `number`, and notes every request."""

    app: ASGIApp
    number: int
    fault: str
    publisher: Path  # a file with its process id
    note: Path | None  # a file for the requests
    requests: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        number, self.requests = self.requests, self.requests + 1
        if self.note is not None:
            with self.note.open("a") as file:
                file.write(f"{scope['method']} {scope['path']}\n")
        from_then_on = self.fault.endswith("from then on") and number > self.number
        if number != self.number and not from_then_on:
            await self.app(scope, receive, send)
        elif self.fault.startswith("answers"):
            await answer(int(self.fault.split()[1]), receive, send)
        elif self.fault == "hangs":
            await hang(receive)
        else:
            await self._break(scope, receive, send)

    async def _break(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.fault.endswith("after acting"):
            await self.app(scope, receive, nowhere)
        if self.fault.startswith("server killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault.startswith("publisher killed"):
            os.kill(int(self.publisher.read_text()), signal.SIGKILL)
        await cut(send)


def publication(generation: int) -> Publication:
    """A small model with one large file; each generation has other weights. The newest revision alone is kept."""
    contents = {
        "config.json": b"{}",
        "model.safetensors": bytes([generation]) * 3000 + b"\0",
        "prompt.json": b"{}",
        "training.json": b'{"steps": 1}',
    }
    prompt = {"with_input": "i", "without_input": "w", "end_token": "e", "end_token_id": 0, "context_length": 8}
    return Publication(
        repo_id=REPO_ID,
        files=tuple(PlannedFile.from_bytes(path, content) for path, content in contents.items()),
        facts=CardFacts(training={"steps": 1}, prompt=prompt, license="apache-2.0", endpoint="local"),
        space=SpaceTarget(SPACE_REPO_ID, TEMPLATE),
        keep_revisions=1,
    )


def prepare(storage: Path) -> None:
    """A storage with an earlier generation on it; also imports, for all processes to come, what is imported late."""
    publication(0).plan("v20261121-120000")
    importlib.import_module("uvicorn.protocols.http.auto")
    importlib.import_module("uvicorn.loops.auto")
    port = free_port()
    server = spawn(lambda: serve(storage, port))
    publisher = spawn(lambda: publish_generation(0, port))
    assert wait(publisher) == _PUBLISHED, "the earlier generation could not be published"
    stop(server)


def requests_of(scenario: str, folder: Path) -> list[str]:
    """The requests of an undisturbed publication, in order."""
    storage, port, note = folder / f"clean-{scenario}", free_port(), folder / f"requests-{scenario}"
    _lay_out(storage, scenario, folder / EARLIER)
    server = spawn(lambda: serve(storage, port, note=note))
    assert wait(spawn(lambda: publish_generation(1, port))) == _PUBLISHED
    stop(server)
    return note.read_text().splitlines()


def run_case(case: Case, folder: Path, *, earlier: Path) -> tuple[str, str | None]:
    """How the faulty run ended, and what is wrong afterwards or after the next run; None when nothing is."""
    storage, port, pid_file = folder / "hub", free_port(), folder / "pid"
    _lay_out(storage, case.scenario, earlier)
    server = spawn(lambda: serve(storage, port, number=case.number, fault=case.fault, publisher=pid_file))
    slow = case.fault.startswith("server killed")
    publisher = spawn(
        lambda: publish_generation(1, port, silence_seconds=1.0 if case.fault == "hangs" else 20.0, real_pauses=slow),
        pid_file,
    )
    status, server = _supervise(publisher, server, restart=lambda: spawn(lambda: serve(storage, port)))
    stop(server)
    ended = {_PUBLISHED: "published", _REFUSED: "refused", -signal.SIGKILL: "killed"}.get(status)
    if ended is None:
        return "crashed", f"the publisher ended with status {status}"
    problem = half_done(storage)
    if problem is None:
        server = spawn(lambda: serve(storage, port))
        again = wait(spawn(lambda: publish_generation(1, port)))
        stop(server)
        problem = f"the next run ended with status {again}" if again else unfinished(storage, port)
    return ended, problem


def half_done(storage: Path) -> str | None:
    """What of a revision, of main, or of the Space is not whole; None when all of it is."""
    model = _repository(storage, "models", REPO_ID)
    if model is None:
        return None
    commits = {name: model.refs(BRANCHES)[name] for name in dated_revisions(model.refs(BRANCHES))}
    for name, commit in commits.items():
        if not _equals_a_plan(storage, model, commit, revision=name):
            return f"the revision {name} is not whole"
    if len(_files(model, MAIN)) > 1 and not _equals_a_plan(storage, model, MAIN):
        return "main is not whole"
    space = _repository(storage, "spaces", SPACE_REPO_ID)
    if space is None or len(_files(space, MAIN)) == 1:
        return None
    return None if _serves_one_of(storage, space, commits) else "the Space is not whole"


def unfinished(storage: Path, port: int) -> str | None:
    """What is missing of the publication of generation 1; None when it is finished, and made once."""
    model, space = _repository(storage, "models", REPO_ID), _repository(storage, "spaces", SPACE_REPO_ID)
    assert model is not None
    assert space is not None
    branches = model.refs(BRANCHES)
    if len(branches) != 2 or len(dated_revisions(branches)) != 1:
        return f"the branches are {', '.join(branches)}"
    (revision,) = dated_revisions(branches)
    plan = publication(1).plan(revision)
    for branch in branches:
        if plan.differences(_files(model, branch)):
            return f"{branch} is not on the new model"
    space_plan = _space_plan(1, revision, branches[revision], port)
    return "; ".join(space_plan.differences(_files(space, MAIN))) or None


def serve(
    storage: Path,
    port: int,
    *,
    number: int = -1,
    fault: str = "none",
    publisher: Path = Path("none"),
    note: Path | None = None,
) -> None:
    door = Door(create_app(storage), number, fault, publisher, note)
    config = uvicorn.Config(
        door, host="127.0.0.1", port=port, log_config=None, lifespan="off", timeout_graceful_shutdown=0
    )
    uvicorn.Server(config).run()


def publish_generation(generation: int, port: int, *, silence_seconds: float = 20.0, real_pauses: bool = False) -> int:
    """Publishes and gives the exit status; without real pauses, waiting takes a hundredth of its time."""
    sleep = time.sleep if real_pauses else (lambda seconds: time.sleep(seconds / 100))
    _http.time = SimpleNamespace(sleep=sleep)  # type: ignore[attr-defined]
    hub = Hub(HfApi(endpoint=f"http://127.0.0.1:{port}", token=TOKEN), token_env="HF_TOKEN", sleep=sleep)
    with ExitStack() as stack:
        stack.enter_context(loopback_client())
        stack.enter_context(impatient_client(connect_seconds=5.0, silence_seconds=silence_seconds))
        _wait_for_server(port)
        try:
            publish(hub, publication(generation), clock=lambda: noon() + timedelta(minutes=generation))
        except HubError:
            return _REFUSED
    return _PUBLISHED


def spawn(work: Callable[[], int | None], pid_file: Path | None = None) -> int:
    """Runs `work` in a copy of this process; gives its process id, once that is in `pid_file`."""
    ready, go = os.pipe()
    process = os.fork()
    if process:
        if pid_file is not None:
            pid_file.write_text(str(process))
        os.write(go, b"x")
        os.close(go)
        os.close(ready)
        return process
    status = 99
    try:
        os.read(ready, 1)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        status = work() or 0
    finally:
        os._exit(status)


def wait(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def stop(server: int) -> None:
    os.kill(server, signal.SIGTERM)
    wait(server)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _supervise(publisher: int, server: int, *, restart: Callable[[], int]) -> tuple[int, int]:
    """Waits for the publisher, and starts a killed server again after a while; the publisher's exit status."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while True:
        ended, status = os.waitpid(publisher, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), server
        if os.waitpid(server, os.WNOHANG)[0]:
            time.sleep(DOWN_SECONDS)
            server = restart()
        if time.monotonic() > deadline:
            os.kill(publisher, signal.SIGABRT)
        time.sleep(0.005)


def _wait_for_server(port: int) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise TimeoutError(f"no server on port {port}")


def _lay_out(storage: Path, scenario: str, earlier: Path) -> None:
    if scenario == "next":
        shutil.copytree(earlier, storage)


def _repository(storage: Path, kind: str, name: str) -> Repository | None:
    namespace, _, short = name.partition("/")
    wanted = repo_id(kind, namespace, short)
    found = [repository for repository in Storage(storage).repositories(kind) if repository.id == wanted]
    return found[0] if found else None


def _files(repository: Repository, revision: str) -> list[RemoteFile]:
    files: Mapping[str, object] = repository.commit(revision).files
    return [
        RemoteFile(path, entry.size, entry.sha256 if entry.lfs else None, entry.oid)  # type: ignore[attr-defined]
        for path, entry in files.items()
    ]


def _equals_a_plan(storage: Path, model: Repository, commit: str, *, revision: str | None = None) -> bool:
    """Whether the files at `commit` are those of a generation, under the revision that their manifest names."""
    manifest = model.commit(commit).files.get("manifest.json")
    if manifest is None:
        return False
    content = Storage(storage).blobs.path(manifest.sha256).read_bytes()
    named = revision_in_manifest(content)
    if named is None or (revision is not None and named != revision):
        return False
    assert json.loads(content)["repo_id"] == REPO_ID
    return any(not publication(generation).plan(named).differences(_files(model, commit)) for generation in (0, 1))


def _serves_one_of(storage: Path, space: Repository, commits: Mapping[str, str]) -> bool:
    """Whether the Space has every file of the template and pins a revision together with its own commit."""
    files = space.commit(MAIN).files
    if set(files) != {".gitattributes", *read_template(TEMPLATE)}:
        return False
    app = Storage(storage).blobs.path(files["app.py"].sha256).read_text()
    return any(f'MODEL_VERSION = "{name}"\nSHA = "{commit}"' in app for name, commit in commits.items())


def _space_plan(generation: int, revision: str, commit: str, port: int) -> Plan:
    given = publication(generation)
    assert given.space is not None
    return given.space_plan(given.space, revision=revision, commit=commit, endpoint=f"http://127.0.0.1:{port}")
