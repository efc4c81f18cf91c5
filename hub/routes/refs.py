"""Branches, tags and histories."""

from __future__ import annotations

from itertools import islice

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub.access import readable_repository, writable_repository
from hub.bodies import read_json
from hub.descriptions import commit_info
from hub.errors import InvalidRequestError
from hub.repository import BRANCHES, DEFAULT_BRANCH, TAGS, Repository
from hub.routes.paths import path_part

_REPO = "/api/{kind}/{namespace}/{name}"
MAX_COMMITS = 1000


def list_refs(request: Request) -> Response:
    repository = readable_repository(request)
    answer = {"branches": _refs(repository, BRANCHES), "tags": _refs(repository, TAGS), "converts": []}
    if "include_prs" in request.query_params:
        answer["pullRequests"] = []
    return JSONResponse(answer)


async def create_branch(request: Request) -> Response:
    repository, _ = await run_in_threadpool(writable_repository, request)
    start = (await read_json(request)).get("startingPoint") or DEFAULT_BRANCH
    if not isinstance(start, str):
        raise InvalidRequestError(f"A branch starts at a revision. Received: startingPoint={start!r}")
    await run_in_threadpool(repository.add_ref, BRANCHES, path_part(request, "ref"), start)
    return JSONResponse({"success": True})


def delete_branch(request: Request) -> Response:
    repository, _ = writable_repository(request)
    repository.remove_ref(BRANCHES, path_part(request, "ref"))
    return JSONResponse({"success": True})


async def create_tag(request: Request) -> Response:
    repository, _ = await run_in_threadpool(writable_repository, request)
    tag = (await read_json(request)).get("tag")
    if not isinstance(tag, str):
        raise InvalidRequestError(f"A tag needs a name. Received: tag={tag!r}")
    await run_in_threadpool(repository.add_ref, TAGS, tag, path_part(request, "ref"))
    return JSONResponse({"success": True})


def delete_tag(request: Request) -> Response:
    repository, _ = writable_repository(request)
    repository.remove_ref(TAGS, path_part(request, "ref"))
    return JSONResponse({"success": True})


def list_commits(request: Request) -> Response:
    repository = readable_repository(request)
    newest = repository.commit(path_part(request, "revision"))
    return JSONResponse([commit_info(commit) for commit in islice(repository.history(newest), MAX_COMMITS)])


def _refs(repository: Repository, space: str) -> list[dict[str, str]]:
    return [
        {"name": name, "ref": f"refs/{space}/{name}", "targetCommit": oid}
        for name, oid in repository.refs(space).items()
    ]


ROUTES = [
    Route(_REPO + "/refs", list_refs),
    Route(_REPO + "/branch/{ref}", create_branch, methods=["POST"]),
    Route(_REPO + "/branch/{ref}", delete_branch, methods=["DELETE"]),
    Route(_REPO + "/tag/{ref}", create_tag, methods=["POST"]),
    Route(_REPO + "/tag/{ref}", delete_tag, methods=["DELETE"]),
    Route(_REPO + "/commits/{revision}", list_commits),
]
