"""Repositories: create, delete, describe, list."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub.access import (
    check_gate,
    identify,
    readable_repository,
    signed_in,
    visible,
    writable_repository,
    writer,
)
from hub.bodies import read_json
from hub.descriptions import models_of_space, repository_info
from hub.errors import ConflictError, InvalidRequestError, RepoNotFoundError
from hub.names import KINDS, RepoId, repo_id
from hub.repository import DEFAULT_BRANCH, Settings
from hub.routes.paths import path_part
from hub.state import base_url, hub_state

_REPO = "/api/{kind}/{namespace}/{name}"
_VISIBILITIES = {"public": False, "private": True}


async def create_repo(request: Request) -> Response:
    body = await read_json(request)
    wanted = _named_repo(body, owner=signed_in(request).name)
    identity = writer(request, wanted.namespace)
    sdk = body.get("sdk")
    if wanted.kind == "spaces" and not isinstance(sdk, str):
        raise InvalidRequestError(f"A Space needs an sdk. Received: sdk={sdk!r}")
    answer = {"url": base_url(request) + wanted.url_path, "name": str(wanted), "id": str(wanted)}
    try:
        await run_in_threadpool(
            hub_state(request).storage.create,
            wanted,
            author=identity.name,
            private=_private_at_first(body, wanted.namespace in identity.private_namespaces),
            sdk=sdk if wanted.kind == "spaces" else None,
        )
    except ConflictError as error:
        raise ConflictError(error.message, details=answer) from error  # the client reads the url here too
    return JSONResponse(answer)


async def delete_repo(request: Request) -> Response:
    owner = signed_in(request).name
    unwanted = _named_repo(await read_json(request), owner=owner)
    writer(request, unwanted.namespace)
    await run_in_threadpool(hub_state(request).storage.delete, unwanted)
    return JSONResponse({"success": True})


async def move_repo(request: Request) -> Response:
    """Gives a repository another name or namespace."""
    body = await read_json(request)
    identity, storage, kind = signed_in(request), hub_state(request).storage, body.get("type")
    old = _named_repo({"name": body.get("fromRepo"), "type": kind}, owner=identity.name)
    new = _named_repo({"name": body.get("toRepo"), "type": kind}, owner=identity.name)
    repository = await run_in_threadpool(storage.repository, old)
    if not visible(repository, identity):
        raise RepoNotFoundError("Repository not found")
    for namespace in (repository.id.namespace, new.namespace):
        writer(request, namespace)
    await run_in_threadpool(storage.move, repository.id, new)
    return JSONResponse({"success": True, "url": base_url(request) + new.url_path})


async def change_settings(request: Request) -> Response:
    repository, _ = await run_in_threadpool(writable_repository, request)
    body = await read_json(request)
    private, gated = _wanted_private(body), body.get("gated")
    if private is None and gated is None:
        raise InvalidRequestError("Of a repository's settings, its visibility and its gate can be changed here.")
    if gated not in (None, False, "auto", "manual"):
        raise InvalidRequestError(f"A gate is auto, manual or false. Received: gated={gated!r}")

    def change(settings: Settings) -> Settings:
        return replace(
            settings,
            private=settings.private if private is None else private,
            gated=settings.gated if gated is None else gated,
        )

    await run_in_threadpool(repository.change_settings, change)
    return JSONResponse({"private": repository.settings.private, "gated": repository.settings.gated})


def repo_info(request: Request) -> Response:
    repository = readable_repository(request)
    commit = repository.commit(path_part(request, "revision", DEFAULT_BRANCH))
    wanted = [*request.query_params.getlist("expand"), *request.query_params.getlist("expand[]")]
    info = repository_info(
        repository,
        commit,
        hub_state(request).storage.blobs,
        with_blobs=_flag(request, "blobs"),
        spaces=_spaces_naming(request, str(repository.id)) if not wanted or "spaces" in wanted else (),
    )
    if wanted:
        info = {key: value for key, value in info.items() if key in {"id", "_id", *wanted}}
    return JSONResponse(info)


def _spaces_naming(request: Request, model: str) -> list[str]:
    """Returns the Spaces, as far as the visitor may see them, whose cards name `model`."""
    storage, identity = hub_state(request).storage, identify(request)
    return [
        str(space.id)
        for space in storage.repositories("spaces")
        if visible(space, identity) and model in models_of_space(space.commit(DEFAULT_BRANCH), storage.blobs)
    ]


def list_repos(request: Request) -> Response:
    kind = request.path_params["kind"]
    if kind not in KINDS:
        raise HTTPException(404, f"The local Hub has no {kind!r}.")
    identity = identify(request)
    state, query = hub_state(request), request.query_params
    found = [
        repository
        for repository in state.storage.repositories(kind)
        if visible(repository, identity)
        and query.get("author", repository.id.namespace) == repository.id.namespace
        and query.get("search", "").lower() in str(repository.id).lower()
    ]
    infos = [repository_info(repo, repo.commit(DEFAULT_BRANCH), state.storage.blobs) for repo in found]
    infos.sort(key=lambda info: str(info["lastModified"]), reverse=True)
    limit = query.get("limit", "")
    return JSONResponse(infos[: int(limit)] if limit.isdecimal() and len(limit) < 10 else infos)


def check_access(request: Request) -> Response:
    check_gate(request, readable_repository(request))
    return JSONResponse({})


def check_write_access(request: Request) -> Response:
    writable_repository(request)
    return JSONResponse({})


def _named_repo(body: dict[str, Any], *, owner: str) -> RepoId:
    """Returns the repository that a body names; without an organization it is the user's own."""
    name, namespace = body.get("name"), body.get("organization") or owner
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


def _private_at_first(body: dict[str, Any], default: bool) -> bool:
    wanted = _wanted_private(body)
    return default if wanted is None else wanted


def _flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() in ("1", "true")


ROUTES = [
    Route("/api/repos/create", create_repo, methods=["POST"]),
    Route("/api/repos/delete", delete_repo, methods=["DELETE"]),
    Route("/api/repos/move", move_repo, methods=["POST"]),
    Route("/api/{kind}", list_repos),
    Route(_REPO, repo_info),
    Route(_REPO + "/revision/{revision}", repo_info),
    Route(_REPO + "/settings", change_settings, methods=["PUT"]),
    Route(_REPO + "/auth-check", check_access),
    Route(_REPO + "/auth-check/write", check_write_access),
]
