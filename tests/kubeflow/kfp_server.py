"""A small server of the Kubeflow Pipelines v2 API, in memory, with faults on request.

It has the paths, verbs and records of the OpenAPI that the installed ``kfp_server_api`` was generated from: a body
with a field that the API's models do not have is refused, as are crons and concurrencies that the real server
refuses. It fills in what the real server fills in (ids, times, a default service account, a run's pending state).
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import kfp_server_api.models as models
import uvicorn
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

Record = dict[str, Any]
CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 500: 13, 503: 14}  # HTTP status to gRPC code
HANG_SECONDS = 5.0
LISTS = {"recurring_runs": models.V2beta1ListRecurringRunsResponse.attribute_map["recurring_runs"]}  # recurringRuns
CRON_LIMITS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))  # seconds first; no 7 for Sunday


class RefusedError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass
class Fault:
    """What to do in place of answering some requests."""

    method: str
    path: str  # regular expression over the whole path
    answer: str  # a status, `hang`, or `page` for an HTML page
    message: str = "injected"
    times: int = 1
    after: bool = False  # carry the request out first, so that only its answer is lost


@dataclass
class KfpServer:
    """The server's state; `requests` is what it was asked, in order."""

    token: str | None = None  # None lets everybody in
    cookie: str | None = None  # lets in as well
    page_size: int = 2  # records a page at most, whatever the client asks for, so that clients must turn pages
    pipelines: dict[str, Record] = field(default_factory=dict)
    versions: dict[str, Record] = field(default_factory=dict)
    experiments: dict[str, Record] = field(default_factory=dict)
    runs: dict[str, Record] = field(default_factory=dict)
    recurring_runs: dict[str, Record] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)

    def reset(self) -> None:
        """Forgets everything."""
        for kept in (self.pipelines, self.versions, self.experiments, self.runs, self.recurring_runs):
            kept.clear()
        self.faults.clear()
        self.requests.clear()
        self.cookie = None

    @property
    def changes(self) -> list[tuple[str, str]]:
        """The requests that were not reads, less the ids in their paths."""
        return [(method, re.sub(r"[0-9a-f-]{36}", "ID", path)) for method, path in self.requests if method != "GET"]

    def end_run(self, run_id: str, state: str, *, error: str = "", failed_task: str = "") -> None:
        """Lets a run end."""
        self.runs[run_id]["state"] = state
        if error:
            self.runs[run_id]["error"] = {"code": 13, "message": error}
        if failed_task:
            self.runs[run_id]["run_details"] = {"task_details": [{"display_name": failed_task, "state": "FAILED"}]}

    def fire(self, recurring_run_id: str, at: datetime) -> Record:
        """What the scheduler does when the time has come: a run of its own, with the parameters as they are."""
        recurring = self.recurring_runs[recurring_run_id]
        return self._keep(
            self.runs,
            "run_id",
            {
                **{key: recurring[key] for key in ("experiment_id", "display_name", "pipeline_version_reference")},
                "runtime_config": recurring["runtime_config"],
                "recurring_run_id": recurring_run_id,
                "scheduled_at": at.isoformat(),
                "state": "PENDING",
            },
        )

    # ------------------------------------------------------------------------------------------- Requests

    async def create_experiment(self, request: Request) -> Record:
        body = _checked(await request.json(), "V2beta1Experiment")
        if any(one["display_name"] == body["display_name"] for one in self.experiments.values()):
            raise RefusedError(409, f"Already exist error: experiment {body['display_name']}")
        return self._keep(self.experiments, "experiment_id", body)

    async def create_pipeline(self, request: Request) -> Record:
        body = _checked(await request.json(), "V2beta1Pipeline")
        if any(one["display_name"] == body["display_name"] for one in self.pipelines.values()):
            raise RefusedError(409, f"Already exist error: pipeline {body['display_name']}")
        return self._keep(self.pipelines, "pipeline_id", body)

    async def upload_version(self, request: Request) -> Record:
        query = request.query_params
        if query["pipelineid"] not in self.pipelines:
            raise RefusedError(404, f"pipeline {query['pipelineid']} not found")
        of_pipeline = [one for one in self.versions.values() if one["pipeline_id"] == query["pipelineid"]]
        if any(one["display_name"] == query["name"] for one in of_pipeline):
            raise RefusedError(409, f"Already exist error: version {query['name']}")
        async with request.form() as form:
            upload: Any = form["uploadfile"]
            specification = _specification(await upload.read())
        record = {"pipeline_id": query["pipelineid"], "display_name": query["name"], "name": query["name"]}
        return self._keep(self.versions, "pipeline_version_id", {**record, "pipeline_spec": specification})

    async def list_versions(self, request: Request) -> Record:
        mine = [one for one in self.versions.values() if one["pipeline_id"] == request.path_params["pipeline_id"]]
        return self._page(request, "pipeline_versions", mine)

    async def create_run(self, request: Request) -> Record:
        body = _checked(await request.json(), "V2beta1Run")
        self._check_references(body)
        return self._keep(self.runs, "run_id", {"service_account": "pipeline-runner", **body, "state": "PENDING"})

    async def get_run(self, request: Request) -> Record:
        return self._one(self.runs, request)

    async def list_runs(self, request: Request) -> Record:
        experiment = request.query_params.get("experiment_id")
        found = [run for run in self.runs.values() if experiment in (None, run["experiment_id"])]
        if request.query_params.get("sort_by") == "created_at desc":
            found.reverse()
        return self._page(request, "runs", found)

    async def create_recurring_run(self, request: Request) -> Record:
        body = _checked(await request.json(), "V2beta1RecurringRun")
        self._check_references(body)
        _check_trigger(body["trigger"])
        if not 1 <= int(body["max_concurrency"]) <= 10:
            raise RefusedError(400, "The max concurrency of the recurring run must be between 1 and 10")
        status = "ENABLED" if body["mode"] == "ENABLE" else "DISABLED"
        defaults = {"service_account": "pipeline-runner", "namespace": "kubeflow"}
        return self._keep(self.recurring_runs, "recurring_run_id", {**defaults, **body, "status": status})

    async def delete_recurring_run(self, request: Request) -> Record:
        del self.recurring_runs[self._one(self.recurring_runs, request)["recurring_run_id"]]
        return {}

    async def enable(self, request: Request) -> Record:
        self._one(self.recurring_runs, request).update(status="ENABLED", mode="ENABLE")
        return {}

    async def disable(self, request: Request) -> Record:
        self._one(self.recurring_runs, request).update(status="DISABLED", mode="DISABLE")
        return {}

    # -------------------------------------------------------------------------------------------- Records

    def _keep(self, table: dict[str, Record], key: str, record: Record) -> Record:
        record = {**record, key: str(uuid4()), "created_at": datetime.now(UTC).isoformat()}
        table[record[key]] = record
        return record

    def _one(self, table: dict[str, Record], request: Request) -> Record:
        key = request.path_params["id"]
        if key not in table:
            raise RefusedError(404, f"{request.url.path} not found")
        return table[key]

    def _page(self, request: Request, name: str, found: list[Record]) -> Record:
        predicates = json.loads(request.query_params.get("filter") or '{"predicates": []}')["predicates"]
        for predicate in predicates:
            assert predicate["operation"] == "EQUALS"
            found = [one for one in found if one.get(predicate["key"]) == predicate["stringValue"]]
        first = int(request.query_params.get("page_token") or 0)
        page: Record = {"total_size": len(found)}
        if found:  # grpc-gateway leaves empty lists out
            page[LISTS.get(name, name)] = found[first : first + self.page_size]
        if first + self.page_size < len(found):
            page["next_page_token"] = str(first + self.page_size)
        return page

    def _check_references(self, body: Record) -> None:
        reference = body["pipeline_version_reference"]
        if reference["pipeline_version_id"] not in self.versions:
            raise RefusedError(404, f"pipeline version {reference['pipeline_version_id']} not found")
        if body["experiment_id"] not in self.experiments:
            raise RefusedError(404, f"experiment {body['experiment_id']} not found")

    # --------------------------------------------------------------------------------------------- Serving

    def app(self) -> Starlette:
        """The server as a web application."""
        api = "/apis/v2beta1"
        return Starlette(
            routes=[
                self._route("GET", f"{api}/experiments", self._listing("experiments", self.experiments)),
                self._route("POST", f"{api}/experiments", self.create_experiment),
                self._route("GET", f"{api}/pipelines", self._listing("pipelines", self.pipelines)),
                self._route("POST", f"{api}/pipelines", self.create_pipeline),
                self._route("POST", f"{api}/pipelines/upload_version", self.upload_version),
                self._route("GET", f"{api}/pipelines/{{pipeline_id}}/versions", self.list_versions),
                self._route("GET", f"{api}/runs", self.list_runs),
                self._route("POST", f"{api}/runs", self.create_run),
                self._route("GET", f"{api}/runs/{{id}}", self.get_run),
                self._route("GET", f"{api}/recurringruns", self._listing("recurring_runs", self.recurring_runs)),
                self._route("POST", f"{api}/recurringruns", self.create_recurring_run),
                self._route("DELETE", f"{api}/recurringruns/{{id}}", self.delete_recurring_run),
                self._route("POST", f"{api}/recurringruns/{{id}}:enable", self.enable),
                self._route("POST", f"{api}/recurringruns/{{id}}:disable", self.disable),
            ]
        )

    def _listing(self, name: str, table: dict[str, Record]) -> Callable[[Request], Awaitable[Record]]:
        async def answer(request: Request) -> Record:
            return self._page(request, name, list(table.values()))

        return answer

    def _route(self, method: str, path: str, answer: Callable[[Request], Awaitable[Record]]) -> Route:
        async def endpoint(request: Request) -> Response:
            self.requests.append((method, request.url.path))
            try:
                self._let_in(request)
                fault = self._fault(method, request.url.path)
                if fault and not fault.after:
                    return await _faulty(fault)
                record = await answer(request)
                return await _faulty(fault) if fault else JSONResponse(record)
            except RefusedError as refused:
                return _status(refused.status, refused.message)

        return Route(path, endpoint, methods=[method])

    def _let_in(self, request: Request) -> None:
        if self.cookie and request.headers.get("cookie") == self.cookie:
            return
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            raise RefusedError(401, f"Request header error: {request.headers.get('authorization')} is not valid")

    def _fault(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.times and fault.method == method and re.fullmatch(fault.path, path):
                fault.times -= 1
                return fault
        return None


async def _faulty(fault: Fault) -> Response:
    if fault.answer == "hang":
        await asyncio.sleep(HANG_SECONDS)
    if fault.answer == "page":
        return HTMLResponse("<html><body>Sign in</body></html>")
    return _status(503 if fault.answer == "hang" else int(fault.answer), fault.message)


def _status(status: int, message: str) -> Response:
    body = {"error": message, "code": CODES[status], "message": message, "details": []}
    return JSONResponse(body, status_code=status)


def _checked(body: Record, model: str) -> Record:
    """`body`, refused if the API's model has no such field."""
    unknown = set(body) - set(getattr(models, model).attribute_map.values())
    if unknown:
        raise RefusedError(400, f"{model} has no field {', '.join(sorted(unknown))}")
    return body


def _specification(package: bytes) -> Record:
    """The pipeline spec of an uploaded file, with the platform spec where a second document holds one."""
    pipeline, *platform = yaml.safe_load_all(package)
    return {"pipeline_spec": pipeline, "platform_spec": platform[0]} if platform else pipeline


def _check_trigger(trigger: Record) -> None:
    if "periodic_schedule" in trigger:
        if int(trigger["periodic_schedule"]["interval_second"]) < 1:
            raise RefusedError(400, "Found invalid period schedule interval")
        return
    fields = trigger["cron_schedule"]["cron"].split()
    if len(fields) not in (5, 6):
        raise RefusedError(400, f"Schedule cron is not a supported format: {len(fields)} fields")
    for text, (first, last) in zip(fields, CRON_LIMITS, strict=False):
        for number in map(int, re.findall(r"\d+", text.partition("/")[0])):
            if not first <= number <= last:
                raise RefusedError(400, f"Schedule cron is not a supported format: {number} in {text}")


@contextmanager
def serving(server: KfpServer) -> Iterator[str]:
    """Serves `server` on a free port of loopback while active; gives the address."""
    # With the protocol named, asyncio sends without delay; without, each answer waits 40 ms for an acknowledgement.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        # Its own configuration of logging would close all handlers, and with absl's the file that pytest captures to.
        quiet = {"log_config": None, "log_level": "critical"}
        config = uvicorn.Config(server.app(), **quiet, lifespan="off", timeout_graceful_shutdown=0)
        web = uvicorn.Server(config)
        thread = threading.Thread(target=web.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not web.started:
            time.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        web.should_exit = True
        thread.join()
