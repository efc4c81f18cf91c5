"""The large files of a repository, as a list from which some can be removed for good."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub.access import writable_repository
from hub.bodies import read_json, strings
from hub.errors import InvalidRequestError, NotOfferedError
from hub.repository import LargeFile

_FILES = "/api/{kind}/{namespace}/{name}/lfs-files"


def list_files(request: Request) -> Response:
    repository, _ = writable_repository(request)
    return JSONResponse([_described(file) for file in repository.large_files()])


async def remove_files(request: Request) -> Response:
    """Takes large files out of every revision; their contents go with the next `hub.garbage`."""
    repository, _ = await run_in_threadpool(writable_repository, request)
    deletions = (await read_json(request)).get("deletions")
    if not isinstance(deletions, dict):
        raise InvalidRequestError(f"A removal says which files. Received: deletions={str(deletions)[:80]}")
    if deletions.get("rewriteHistory") is not True:
        raise NotOfferedError("The local Hub removes large files together with the commits' mention of them only.")
    unwanted = set(strings(deletions.get("sha"), "sha"))
    await run_in_threadpool(repository.remove_large_files, unwanted)
    return JSONResponse({"success": True})


def _described(file: LargeFile) -> dict[str, Any]:
    return {
        "fileOid": file.entry.sha256,
        "oid": file.entry.sha256,
        "filename": file.path,
        "size": file.entry.size,
        "pushedAt": file.pushed_at,
        "ref": file.ref,
    }


ROUTES = [
    Route(_FILES, list_files),
    Route(_FILES + "/batch", remove_files, methods=["POST"]),
]
