"""Files of a revision: listings, descriptions, contents."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from hub.access import check_gate, readable_repository
from hub.bodies import read_form, read_json, strings
from hub.descriptions import file_info, folder_info
from hub.errors import EntryNotFoundError, InvalidRequestError
from hub.manifests import Commit, FileEntry
from hub.repository import Repository
from hub.routes.paths import next_page, path_part
from hub.state import hub_state

_REPO = "/api/{kind}/{namespace}/{name}"
PAGE_ENTRIES: Final = 1000
MAX_PATHS: Final = 1000
_INLINE_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


class _Contents(FileResponse):
    """Streams a blob, whole or by range."""

    chunk_size = 1024 * 1024


def resolve(request: Request) -> Response:
    """Returns the bytes of a file, with what the client needs to cache, resume and verify them."""
    repository = readable_repository(request)
    check_gate(request, repository)
    commit = repository.commit(path_part(request, "revision"))
    path = request.path_params["path"]
    entry = commit.files.get(path)
    if entry is None:
        raise EntryNotFoundError(
            f"Entry not found: {path} in {repository.id} at {commit.oid}",
            headers={"X-Repo-Commit": commit.oid},
        )
    blob = hub_state(request).storage.blobs.path(entry.sha256)
    return _Contents(blob, headers=_headers(path, entry, commit), media_type=_media_type(path, entry))


def tree(request: Request) -> Response:
    """Returns the entries of a folder, a page at a time."""
    repository = readable_repository(request)
    commit = repository.commit(path_part(request, "revision"))
    folder = path_part(request, "path").strip("/")
    recursive = request.query_params.get("recursive", "").lower() in ("1", "true")
    entries = list_folder(commit.files, folder, recursive=recursive)
    if not entries and folder:
        raise EntryNotFoundError(f"{folder} is not a folder of {repository.id} at {commit.oid}")
    after = request.query_params.get("cursor", "")
    remaining = [entry for entry in entries if entry["path"] > after]
    page = remaining[:PAGE_ENTRIES]
    if _is_true(request.query_params.get("expand")):
        page = _expanded(repository, commit, page)
    more = len(remaining) > len(page)
    return JSONResponse(page, headers=next_page(request, cursor=page[-1]["path"]) if more else None)


async def paths_info(request: Request) -> Response:
    """Descriptions of the asked-for paths that exist."""
    repository = await run_in_threadpool(readable_repository, request)
    commit = await run_in_threadpool(repository.commit, path_part(request, "revision"))
    paths, expand = await _asked_paths(request)
    infos = [_path_info(commit.files, path.strip("/")) for path in dict.fromkeys(paths)]
    present = [info for info in infos if info is not None]
    return JSONResponse(await run_in_threadpool(_expanded, repository, commit, present) if expand else present)


def list_folder(files: Mapping[str, FileEntry], folder: str, *, recursive: bool) -> list[dict[str, Any]]:
    """Files and folders inside `folder` (the root where empty), sorted by path."""
    prefix = f"{folder}/" if folder else ""
    inside = {path: entry for path, entry in files.items() if path.startswith(prefix)}
    parents = {str(parent) for path in inside for parent in PurePosixPath(path).parents}
    folders = {path for path in parents if path.startswith(prefix)} - {".", folder}
    entries = [file_info(path, entry) for path, entry in inside.items()]
    entries += [folder_info(path, files) for path in folders]
    kept = [entry for entry in entries if recursive or "/" not in entry["path"][len(prefix) :]]
    return sorted(kept, key=lambda entry: str(entry["path"]))


def _headers(path: str, entry: FileEntry, commit: Commit) -> dict[str, str]:
    headers = {
        "ETag": f'"{entry.etag}"',
        "X-Repo-Commit": commit.oid,
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(PurePosixPath(path).name)}",
        # A file is shown, never run: its pages get no scripts and none of this server's rights.
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    }
    if entry.lfs:
        headers |= {"X-Linked-ETag": f'"{entry.etag}"', "X-Linked-Size": str(entry.size)}
    return headers


def _media_type(path: str, entry: FileEntry) -> str:
    guessed = mimetypes.guess_type(path)[0]
    if guessed in _INLINE_IMAGES:
        return str(guessed)
    return "application/octet-stream" if entry.lfs else "text/plain; charset=utf-8"


def _expanded(repository: Repository, commit: Commit, infos: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the entries with the commit that made each what it is."""
    return [info | {"lastCommit": _last_change(repository, commit, info["path"])} for info in infos]


def _last_change(repository: Repository, commit: Commit, path: str) -> dict[str, str]:
    """Returns the newest commit in which `path` became what it is."""
    found, present = commit, _digest(commit, path)
    for older in repository.history(commit):
        if _digest(older, path) != present:
            break
        found = older
    return {"id": found.oid, "title": found.title, "date": found.created_at}


def _digest(commit: Commit, path: str) -> str | None:
    info = _path_info(commit.files, path)
    return None if info is None else str(info["oid"])


def _path_info(files: Mapping[str, FileEntry], path: str) -> dict[str, Any] | None:
    if path in files:
        return file_info(path, files[path])
    is_folder = any(other.startswith(f"{path}/") for other in files)
    return folder_info(path, files) if is_folder else None


async def _asked_paths(request: Request) -> tuple[list[str], bool]:
    """Returns the paths, and whether the commits that made them are asked for too."""
    if "json" in request.headers.get("content-type", ""):
        body = await read_json(request)
        paths, expand = strings(body.get("paths"), "paths"), body.get("expand")
    else:
        form = await read_form(request)
        paths, expand = form.get("paths", []), form.get("expand", ["false"])[0]
    if len(paths) > MAX_PATHS:
        raise InvalidRequestError(f"At most {MAX_PATHS} paths at once. Received: {len(paths)}")
    return paths, _is_true(expand)


def _is_true(value: object) -> bool:
    return str(value).lower() in ("1", "true")


ROUTES = [
    Route(_REPO + "/tree/{revision}", tree),
    Route(_REPO + "/tree/{revision}/{path:path}", tree),
    Route(_REPO + "/paths-info/{revision}", paths_info, methods=["POST"]),
    Route("/{namespace}/{name}/resolve/{revision}/{path:path}", resolve),
    Route("/{kind}/{namespace}/{name}/resolve/{revision}/{path:path}", resolve),
]
