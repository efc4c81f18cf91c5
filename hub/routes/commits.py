"""Preparing and making commits."""

from __future__ import annotations

import base64
import binascii
import logging
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub.access import writable_repository
from hub.bodies import read_json, read_lines
from hub.descriptions import small_text
from hub.errors import InvalidRequestError, NotOfferedError, TooLargeError
from hub.manifests import Commit
from hub.names import file_path
from hub.operations import Header, Operation, apply_operations, read_line
from hub.repository import CommitMessage
from hub.routes.paths import path_part
from hub.state import base_url, hub_state
from hub.upload_mode import is_ignored, upload_mode

_REPO = "/api/{kind}/{namespace}/{name}"
MAX_OPERATIONS = 25_000

logger = logging.getLogger(__name__)


@dataclass
class _Draft:
    """A commit while its lines arrive."""

    header: Header | None = None
    operations: list[Operation] = field(default_factory=list)

    def add(self, item: Header | Operation) -> None:
        if isinstance(item, Header):
            if self.header is not None or self.operations:
                raise InvalidRequestError("A commit has one header, in its first line.")
            self.header = item
        elif len(self.operations) == MAX_OPERATIONS:
            raise TooLargeError(f"A commit has at most {MAX_OPERATIONS} operations.")
        else:
            self.operations.append(item)


async def preupload(request: Request) -> Response:
    """Tells the client which files to send as large files, and which it need not send."""
    repository, _ = await run_in_threadpool(writable_repository, request)
    head = await run_in_threadpool(repository.branch_head, path_part(request, "revision"))
    body, blobs = await read_json(request), hub_state(request).storage.blobs
    files, ignore = body.get("files"), body.get("gitIgnore")
    if ignore is None:
        ignore = await run_in_threadpool(small_text, head, ".gitignore", blobs)
    if not isinstance(files, list) or not isinstance(ignore, str):
        raise InvalidRequestError("A preupload needs a list of files, and may say what is ignored in gitIgnore.")
    attributes = await run_in_threadpool(small_text, head, ".gitattributes", blobs)
    answers = (_preupload_answer(file, head, ignore=ignore, attributes=attributes) for file in files)
    return JSONResponse({"files": list(answers)})


async def commit(request: Request) -> Response:
    """Makes a commit: contents first, then the manifest, then the branch."""
    branch = path_part(request, "revision")
    if request.query_params.get("create_pr") == "1":
        raise NotOfferedError("The local Hub has no pull requests; commit to a branch.")
    repository, identity = await run_in_threadpool(writable_repository, request)
    await run_in_threadpool(repository.branch_head, branch)
    storage, draft = hub_state(request).storage, _Draft()
    async for line in read_lines(request):
        draft.add(await run_in_threadpool(read_line, line, storage.blobs, was_sent=repository.has_object))
    if draft.header is None:
        raise InvalidRequestError("A commit begins with a header.")
    made = await run_in_threadpool(
        repository.add_commit,
        branch,
        lambda files: apply_operations(files, draft.operations),
        CommitMessage(draft.header.title, draft.header.description, identity.name, storage.timestamp()),
        parent_commit=draft.header.parent_commit,
    )
    logger.info("%s %s is now at %s: %s", repository.id.url_path, branch, made.oid, made.title)
    url = f"{base_url(request)}{repository.id.url_path}/commit/{made.oid}"
    return JSONResponse({"success": True, "commitOid": made.oid, "commitUrl": url, "hookOutput": ""})


def _preupload_answer(file: Any, head: Commit, *, ignore: str, attributes: str) -> dict[str, Any]:
    path, size, sample = _announced(file)
    mode, present = upload_mode(path, size, sample, attributes=attributes), head.files.get(path)
    answer: dict[str, Any] = {"path": path, "uploadMode": mode, "shouldIgnore": is_ignored(path, ignore=ignore)}
    if present is not None and present.lfs == (mode == "lfs"):
        answer["oid"] = present.etag
    return answer


def _announced(file: Any) -> tuple[str, int, bytes]:
    if not isinstance(file, dict):
        raise InvalidRequestError(f"A file to upload has a path and a size. Received: {str(file)[:50]}")
    path, size, sample = file_path(file.get("path")), file.get("size"), file.get("sample", "")
    if not isinstance(size, int) or size < 0 or not isinstance(sample, str):
        raise InvalidRequestError(f"A file to upload has a size and a sample. Received: {path}, {size!r}")
    try:
        return path, size, base64.b64decode(sample, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequestError(f"The sample of {path} is not valid base64 ({error}).") from error


ROUTES = [
    Route(_REPO + "/preupload/{revision}", preupload, methods=["POST"]),
    Route(_REPO + "/commit/{revision}", commit, methods=["POST"]),
]
