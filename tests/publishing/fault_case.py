"""One case of the fault matrix: a server that goes wrong at one request, a publisher, and what is left of both."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Final

from huggingface_hub import HfApi
from huggingface_hub.utils import _http

from hub.names import repo_id
from hub.repository import BRANCHES, Repository
from hub.storage import Storage
from publishing.card.facts import CardFacts
from publishing.client_settings import client_with_timeouts, loopback_client
from publishing.errors import HubError
from publishing.files import PlannedFile, RemoteFile
from publishing.hub_client import Hub
from publishing.manifest import Manifest, read_manifest
from publishing.plan import Plan
from publishing.publication import Publication, SpaceTarget
from publishing.publisher import publish
from publishing.revision_names import MAIN, dated_revisions
from publishing.space_template import read_template
from tests.publishing.fault_processes import (
    LIMIT_SECONDS,
    last_words,
    reserved_port,
    serve,
    spawn,
    stop,
    wait,
    wait_for_server,
)
from tests.publishing.publications import REPO_ID, SPACE_REPO_ID, TEMPLATE, TOKEN, noon

EARLIER: Final = "earlier"
STORAGE: Final = "hub"
FIRST_REVISION: Final = "v20261121-120000"
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
_PUBLISHED, _REFUSED = 0, 3


@dataclass(frozen=True)
class Case:
    scenario: str
    number: int  # of the request, from 0
    request: str
    fault: str

    def __str__(self) -> str:
        return f"{self.scenario} publication, request {self.number} ({self.request}), {self.fault}"


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
    publication(0).plan(FIRST_REVISION)
    importlib.import_module("uvicorn.protocols.http.auto")
    importlib.import_module("uvicorn.loops.auto")
    errors = storage.parent / "errors"
    with reserved_port() as port:
        server = spawn(lambda: serve(storage, port), errors=errors)
        publisher = spawn(lambda: publish_generation(0, port), errors=errors)
        assert wait(publisher) == _PUBLISHED, f"the earlier generation was not published{last_words(errors)}"
        stop(server)


def requests_of(scenario: str, folder: Path) -> list[str]:
    """The requests of an undisturbed publication, in order."""
    storage, note, errors = folder / f"clean-{scenario}", folder / f"requests-{scenario}", folder / "errors"
    _lay_out(storage, scenario, folder / EARLIER)
    with reserved_port() as port:
        server = spawn(lambda: serve(storage, port, note=note), errors=errors)
        publisher = spawn(lambda: publish_generation(1, port), errors=errors)
        assert wait(publisher) == _PUBLISHED, f"nothing was published{last_words(errors)}"
        stop(server)
    return note.read_text().splitlines()


def run_case(case: Case, folder: Path, *, earlier: Path) -> tuple[str, str | None]:
    """How the faulty run ended, and what is wrong afterwards or after the next run; None when nothing is."""
    _lay_out(folder / STORAGE, case.scenario, earlier)
    with reserved_port() as port:
        status, trouble = _faulty_run(case, folder, port)
        ended = {_PUBLISHED: "published", _REFUSED: "refused", -signal.SIGKILL: "killed"}.get(status, "crashed")
        if ended == "crashed":
            trouble = trouble or f"the publisher ended with status {status}"
        problem = trouble or half_done(folder / STORAGE) or _next_run(folder, port, scenario=case.scenario)
    return ended, problem and problem + last_words(folder / "errors")


def _faulty_run(case: Case, folder: Path, port: int) -> tuple[int, str | None]:
    """The publisher's exit status, and what is to be said of the server."""
    storage, errors, pid_file = folder / STORAGE, folder / "errors", folder / "pid"
    server = spawn(
        lambda: serve(storage, port, number=case.number, fault=case.fault, publisher=pid_file), errors=errors
    )
    slow = case.fault.startswith("server killed")
    silence_seconds = 1.0 if case.fault == "hangs" else 20.0
    publisher = spawn(
        lambda: publish_generation(1, port, silence_seconds=silence_seconds, real_pauses=slow),
        errors=errors,
        pid_file=pid_file,
    )
    restart = lambda: spawn(lambda: serve(storage, port), errors=errors)  # noqa: E731
    status, server = _supervise(publisher, server, restart=restart)
    return status, stop(server)


def _next_run(folder: Path, port: int, *, scenario: str) -> str | None:
    """What is wrong after an undisturbed run."""
    storage, errors = folder / STORAGE, folder / "errors"
    server = spawn(lambda: serve(storage, port), errors=errors)
    status = wait(spawn(lambda: publish_generation(1, port), errors=errors))
    trouble = stop(server)
    if status or trouble:
        return f"the next run ended with status {status}" + (f", {trouble}" if trouble else "")
    return unfinished(storage, port, history=[FIRST_REVISION] if scenario == "next" else [])


MADE_BY_THE_HUB = {".gitattributes", "README.md"}  # what a new Space holds before anything is published to it


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
    if space is None or {file.path for file in _files(space, MAIN)} <= MADE_BY_THE_HUB:
        return None
    return None if _serves_one_of(storage, space, commits) else "the Space is not whole"


def unfinished(storage: Path, port: int, *, history: list[str]) -> str | None:
    """What is missing of the publication of generation 1 after `history`; None when it is finished, and made once."""
    model, space = _repository(storage, "models", REPO_ID), _repository(storage, "spaces", SPACE_REPO_ID)
    assert model is not None
    assert space is not None
    branches = model.refs(BRANCHES)
    if len(branches) != 2 or len(dated_revisions(branches)) != 1:
        return f"the branches are {', '.join(branches)}"
    (revision,) = dated_revisions(branches)
    manifest = _manifest(storage, model, branches[revision])
    if manifest is None or (manifest.revision, [past.revision for past in manifest.history]) != (revision, history):
        return f"the manifest of {revision} names another revision or history"
    plan = publication(1).plan(revision, history=manifest.history)
    for branch in branches:
        if plan.differences(_files(model, branch)):
            return f"{branch} is not on the new model"
    space_plan = _space_plan(1, revision, branches[revision], port)
    return "; ".join(space_plan.differences(_files(space, MAIN))) or None


def publish_generation(generation: int, port: int, *, silence_seconds: float = 20.0, real_pauses: bool = False) -> int:
    """Publishes and gives the exit status; without real pauses, waiting takes a hundredth of its time."""
    sleep = time.sleep if real_pauses else (lambda seconds: time.sleep(seconds / 100))
    _http.time = SimpleNamespace(sleep=sleep)  # type: ignore[assignment]
    hub = Hub(HfApi(endpoint=f"http://127.0.0.1:{port}", token=TOKEN), token_env="HF_TOKEN", sleep=sleep)
    with ExitStack() as stack:
        stack.enter_context(loopback_client())
        stack.enter_context(client_with_timeouts(connect_seconds=5.0, silence_seconds=silence_seconds))
        wait_for_server(port)
        try:
            publish(hub, publication(generation), clock=lambda: noon() + timedelta(minutes=generation))
        except HubError as error:
            sys.stderr.write(f"{error}\n")
            return _REFUSED
    return _PUBLISHED


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
    manifest = _manifest(storage, model, commit)
    if manifest is None or (revision is not None and manifest.revision != revision):
        return False
    plans = (publication(generation).plan(manifest.revision, history=manifest.history) for generation in (0, 1))
    return any(not plan.differences(_files(model, commit)) for plan in plans)


def _manifest(storage: Path, model: Repository, commit: str) -> Manifest | None:
    entry = model.commit(commit).files.get("manifest.json")
    return read_manifest(Storage(storage).blobs.path(entry.sha256).read_bytes()) if entry else None


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
