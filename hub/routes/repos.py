"""Repositories: create, delete, describe, list."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub.access import identify, readable_repository, writable_repository, writer
from hub.bodies import read_json
from hub.descriptions import repository_info
from hub.errors import ConflictError, InvalidRequestError
from hub.names import DEFAULT_NAMESPACE, KINDS, RepoId, repo_id
from hub.repository import DEFAULT_BRANCH
from hub.routes.paths import path_part
from hub.state import base_url, hub_state

_REPO = "/api/{kind}/{namespace}/{name}"
_VISIBILITIES = {"public": False, "private": True}


async def create_repo(request: Request) -> Response:
    identity = writer(request)
    body = await read_json(request)
    wanted = _named_repo(body)
    sdk = body.get("sdk")
    if wanted.kind == "spaces" and not isinstance(sdk, str):
        raise InvalidRequestError(f"A Space needs an sdk. Received: sdk={sdk!r}")
    answer = {"url": base_url(request) + wanted.url_path, "name": str(wanted), "id": str(wanted)}
    try:
        await run_in_threadpool(
            hub_state(request).storage.create,
            wanted,
            author=identity.name,
            private=_wanted_private(body) or False,
            sdk=sdk if wanted.kind == "spaces" else None,
        )
    except ConflictError as error:
        raise ConflictError(error.message, details=answer) from error  # the client reads the url here too
    return JSONResponse(answer)


async def delete_repo(request: Request) -> Response:
    writer(request)
    unwanted = _named_repo(await read_json(request))
    await run_in_threadpool(hub_state(request).storage.delete, unwanted)
    return JSONResponse({"success": True})


async def change_settings(request: Request) -> Response:
    repository, _ = await run_in_threadpool(writable_repository, request)
    body = await read_json(request)
    private = _wanted_private(body)
    if private is None:
        raise InvalidRequestError("Of a repository's settings, only its visibility can be changed here.")
    await run_in_threadpool(repository.change_settings, private=private)
    return JSONResponse({"private": private})


def repo_info(request: Request) -> Response:
    repository = readable_repository(request)
    commit = repository.commit(path_part(request, "revision", DEFAULT_BRANCH))
    info = repository_info(repository, commit, hub_state(request).storage.blobs, with_blobs=_flag(request, "blobs"))
    wanted = [*request.query_params.getlist("expand"), *request.query_params.getlist("expand[]")]
    if wanted:
        info = {key: value for key, value in info.items() if key in {"id", "_id", *wanted}}
    return JSONResponse(info)


def list_repos(request: Request) -> Response:
    kind = request.path_params["kind"]
    if kind not in KINDS:
        raise HTTPException(404, f"The local Hub has no {kind!r}.")
    signed_in = identify(request) is not None
    state, query = hub_state(request), request.query_params
    found = [
        repository
        for repository in state.storage.repositories(kind)
        if (signed_in or not repository.settings.private)
        and query.get("author", repository.id.namespace) == repository.id.namespace
        and query.get("search", "").lower() in str(repository.id).lower()
    ]
    infos = [repository_info(repo, repo.commit(DEFAULT_BRANCH), state.storage.blobs) for repo in found]
    infos.sort(key=lambda info: str(info["lastModified"]), reverse=True)
    limit = query.get("limit", "")
    return JSONResponse(infos[: int(limit)] if limit.isdecimal() and len(limit) < 10 else infos)


def check_access(request: Request) -> Response:
    readable_repository(request)
    return JSONResponse({})


def check_write_access(request: Request) -> Response:
    writable_repository(request)
    return JSONResponse({})


def _named_repo(body: dict[str, Any]) -> RepoId:
    name, namespace = body.get("name"), body.get("organization") or DEFAULT_NAMESPACE
    kind = body.get("type") or "model"
    if not isinstance(name, str) or not isinstance(namespace, str) or not isinstance(kind, str):
        raise InvalidRequestError(f"A repository needs a name. Received: name={name!r}")
    if "/" in name and "organization" not in body:
        namespace, _, name = name.partition("/")
    return repo_id(kind, namespace, name)


def _wanted_private(body: dict[str, Any]) -> bool | None:
    visibility, private = body.get("visibility"), body.get("private")
    if visibility is None and isinstance(private, bool | None):
        return private
    if isinstance(visibility, str) and visibility in _VISIBILITIES:
        return _VISIBILITIES[visibility]
    raise InvalidRequestError(f"A repository is public or private. Received: {visibility or private!r}")


def _flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() in ("1", "true")


ROUTES = [
    Route("/api/repos/create", create_repo, methods=["POST"]),
    Route("/api/repos/delete", delete_repo, methods=["DELETE"]),
    Route("/api/{kind}", list_repos),
    Route(_REPO, repo_info),
    Route(_REPO + "/revision/{revision}", repo_info),
    Route(_REPO + "/settings", change_settings, methods=["PUT"]),
    Route(_REPO + "/auth-check", check_access),
    Route(_REPO + "/auth-check/write", check_write_access),
]
