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
from hub.repository import BRANCHES, DEFAULT_BRANCH, TAGS, CommitMessage, Repository
from hub.routes.paths import next_page, path_part
from hub.state import hub_state

_REPO = "/api/{kind}/{namespace}/{name}"
PAGE_COMMITS = 1000


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
    page = int(text) if (text := request.query_params.get("p", "0")).isdecimal() and len(text) < 10 else 0
    commits = list(islice(repository.history(newest), page * PAGE_COMMITS, (page + 1) * PAGE_COMMITS + 1))
    formatted = "formatted" in request.query_params.getlist("expand[]") + request.query_params.getlist("expand")
    infos = [commit_info(commit, formatted=formatted) for commit in commits[:PAGE_COMMITS]]
    return JSONResponse(infos, headers=next_page(request, p=str(page + 1)) if len(commits) > PAGE_COMMITS else None)


async def super_squash(request: Request) -> Response:
    repository, identity = await run_in_threadpool(writable_repository, request)
    branch, title = path_part(request, "ref"), (await read_json(request)).get("message")
    if not isinstance(title, str) or not title.strip():
        raise InvalidRequestError(f"A commit needs a message. Received: message={title!r}")
    message = CommitMessage(title, "", identity.name, hub_state(request).storage.timestamp())
    made = await run_in_threadpool(repository.squash, branch, message)
    return JSONResponse({"success": True, "commitOid": made.oid})


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
    Route(_REPO + "/super-squash/{ref}", super_squash, methods=["POST"]),
]
