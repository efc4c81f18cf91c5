"""Large-file storage: the git-lfs batch protocol, uploads that stream, and their verification."""

from __future__ import annotations

from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub.access import writable_repository
from hub.blobs import BlobWriter
from hub.bodies import read_json
from hub.errors import DigestMismatchError, EntryNotFoundError, HubError, InvalidRequestError, TooLargeError
from hub.names import sha256_digest
from hub.state import HubState, base_url, hub_state

WRITE_BYTES: Final = 1024 * 1024
MAX_BATCH: Final = 1000
_JSON: Final = "application/vnd.git-lfs+json"


async def batch(request: Request) -> Response:
    """Say for each object whether and where to upload it."""
    await run_in_threadpool(writable_repository, request)
    body = await read_json(request)
    objects = body.get("objects")
    if body.get("operation") != "upload" or not isinstance(objects, list) or len(objects) > MAX_BATCH:
        raise InvalidRequestError(f"A batch asks to upload up to {MAX_BATCH} objects.")
    if body.get("hash_algo", "sha256") != "sha256":
        raise InvalidRequestError(f"Objects are named by their sha256. Received: {body['hash_algo']!r}")
    answers = [_answer(request, hub_state(request), item) for item in objects]
    return JSONResponse({"transfer": "basic", "objects": answers}, media_type=_JSON)


async def upload(request: Request) -> Response:
    """Take one object's bytes; it exists only once all of them have arrived and match its name."""
    state, sha256 = hub_state(request), request.path_params["sha256"]
    size = state.upload_links.check(sha256, request.query_params)
    with state.storage.blobs.writer() as writer:
        await _receive(request, writer, limit=size)
        if writer.size != size:
            raise DigestMismatchError(f"The object {sha256} has {size} bytes. Received: {writer.size}")
        await run_in_threadpool(writer.keep, expected_sha256=sha256)
    return Response(status_code=200, headers={"ETag": f'"{sha256}"'})


async def verify(request: Request) -> Response:
    """Confirm to the client that an object has arrived."""
    await run_in_threadpool(writable_repository, request)
    body = await read_json(request)
    sha256, size = sha256_digest(body.get("oid")), body.get("size")
    stored = hub_state(request).storage.blobs.size(sha256)
    if stored is None:
        raise EntryNotFoundError(f"The object {sha256} was not uploaded.")
    if stored != size:
        raise DigestMismatchError(f"The object {sha256} has {stored} bytes. Received: size={size!r}")
    return JSONResponse({"success": True})


async def _receive(request: Request, writer: BlobWriter, *, limit: int) -> None:
    pending, received = bytearray(), 0
    failure: OSError | None = None
    async for chunk in request.stream():
        received += len(chunk)
        if received > limit:
            raise TooLargeError(f"The object has {limit} bytes. Received: more than that")
        pending += chunk
        if len(pending) >= WRITE_BYTES or received == limit:
            failure = failure or await run_in_threadpool(_write, writer, bytes(pending))
            pending.clear()
    failure = failure or await run_in_threadpool(_write, writer, bytes(pending))
    if failure is not None:
        raise failure


def _write(writer: BlobWriter, content: bytes) -> OSError | None:
    """Write, or give the failure: a client that is still sending is told when it listens again."""
    try:
        writer.write(content)
    except OSError as error:
        return error
    return None


def _answer(request: Request, state: HubState, item: Any) -> dict[str, Any]:
    if not isinstance(item, dict) or not isinstance(item.get("oid"), str):
        raise InvalidRequestError("An object of a batch has an oid and a size.")
    oid, size = item["oid"], item.get("size")
    if not isinstance(size, int) or not 0 <= size < 2**60:
        raise InvalidRequestError(f"An object of a batch has a size in bytes. Received: size={size!r}")
    try:
        return {"oid": oid, "size": size, "authenticated": True} | _actions(request, state, oid, size)
    except HubError as error:
        return {"oid": oid, "size": size, "error": {"code": error.status, "message": error.message}}


def _actions(request: Request, state: HubState, oid: str, size: int) -> dict[str, Any]:
    stored = state.storage.blobs.size(sha256_digest(oid))
    if stored is None:
        state.storage.blobs.check_room(size)
        base = base_url(request)
        upload_url = base + state.upload_links.path(oid, size)
        verify_url = f"{base}{request.url.path.removesuffix('/batch')}/verify"
        return {"actions": {"upload": {"href": upload_url}, "verify": {"href": verify_url}}}
    if stored != size:
        raise DigestMismatchError(f"The object {oid} has {stored} bytes. Received: size={size}")
    return {}


ROUTES = [
    Route(prefix + "/{namespace}/{name}.git/info/lfs/objects/" + action, endpoint, methods=["POST"])
    for prefix in ("", "/{kind}")
    for action, endpoint in (("batch", batch), ("verify", verify))
] + [Route("/lfs/objects/{sha256}", upload, methods=["PUT"])]
