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
from hub.multipart import PartWriter
from hub.names import sha256_digest
from hub.repository import Repository
from hub.state import HubState, base_url, hub_state
from hub.upload_links import UploadPermit

WRITE_BYTES: Final = 1024 * 1024
MAX_BATCH: Final = 1000
MAX_PARTS: Final = 10_000
_JSON: Final = "application/vnd.git-lfs+json"


async def batch(request: Request) -> Response:
    """Says for each object whether and where to upload it."""
    repository, _ = await run_in_threadpool(writable_repository, request)
    body = await read_json(request)
    objects = body.get("objects")
    if body.get("operation") != "upload" or not isinstance(objects, list) or len(objects) > MAX_BATCH:
        raise InvalidRequestError(f"A batch asks to upload up to {MAX_BATCH} objects.")
    if body.get("hash_algo", "sha256") != "sha256":
        raise InvalidRequestError(f"Objects are named by their sha256. Received: {body['hash_algo']!r}")
    transfers = body.get("transfers")
    in_parts = isinstance(transfers, list) and "multipart" in transfers
    answers = await run_in_threadpool(
        lambda: [_answer(request, repository, item, in_parts=in_parts) for item in objects]
    )
    transfer = "multipart" if any("chunk_size" in str(answer.get("actions")) for answer in answers) else "basic"
    return JSONResponse({"transfer": transfer, "objects": answers}, media_type=_JSON)


async def upload(request: Request) -> Response:
    """Takes one object's bytes; it exists only once all of them have arrived and match its name."""
    state, sha256 = hub_state(request), request.path_params["sha256"]
    permit = state.upload_links.check(sha256, request.query_params)
    with state.storage.blobs.writer() as writer:
        await _receive(request, writer, limit=permit.size)
        if writer.size != permit.size:
            raise DigestMismatchError(f"The object {sha256} has {permit.size} bytes. Received: {writer.size}")
        await run_in_threadpool(writer.keep, expected_sha256=sha256)
    await run_in_threadpool(_note, state, permit, sha256)
    return Response(status_code=200, headers={"ETag": f'"{sha256}"'})


async def upload_part(request: Request) -> Response:
    """Takes one part of an object."""
    state, number = hub_state(request), request.path_params["number"]
    permit = state.upload_links.check(request.path_params["sha256"], request.query_params)
    with state.multipart.part(permit.upload, size=permit.size, number=number) as part:
        await _receive(request, part, limit=part.limit)
        if part.size != part.limit:
            raise DigestMismatchError(f"Part {number} has {part.limit} bytes. Received: {part.size}")
        digest = await run_in_threadpool(part.keep)
    return Response(status_code=200, headers={"ETag": f'"{digest}"'})


async def complete(request: Request) -> Response:
    """Makes the object of its parts."""
    state, sha256 = hub_state(request), request.path_params["sha256"]
    permit = state.upload_links.check(sha256, request.query_params)
    etags = _etags(await read_json(request))
    await run_in_threadpool(state.multipart.complete, permit.upload, sha256=sha256, size=permit.size, etags=etags)
    await run_in_threadpool(_note, state, permit, sha256)
    return JSONResponse({"success": True})


async def verify(request: Request) -> Response:
    """Confirms to the client that an object has arrived."""
    repository, _ = await run_in_threadpool(writable_repository, request)
    body = await read_json(request)
    sha256, size = sha256_digest(body.get("oid")), body.get("size")
    stored = hub_state(request).storage.blobs.claim(sha256)
    if stored is None or not await run_in_threadpool(repository.has_object, sha256):
        raise EntryNotFoundError(f"The object {sha256} was not uploaded.")
    if stored != size:
        raise DigestMismatchError(f"The object {sha256} has {stored} bytes. Received: size={size!r}")
    return JSONResponse({"success": True})


async def _receive(request: Request, writer: BlobWriter | PartWriter, *, limit: int) -> None:
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


def _write(writer: BlobWriter | PartWriter, content: bytes) -> OSError | None:
    """Writes, or returns the failure: a client that is still sending is told when it listens again."""
    try:
        writer.write(content)
    except OSError as error:
        return error
    return None


def _note(state: HubState, permit: UploadPermit, sha256: str) -> None:
    """Remembers to which repository the object was sent."""
    state.storage.repository_named(permit.repository).note_object(sha256)


def _etags(body: dict[str, Any]) -> dict[int, str]:
    parts = body.get("parts")
    if not isinstance(parts, list) or len(parts) > MAX_PARTS:
        raise InvalidRequestError(f"An upload is completed by a list of up to {MAX_PARTS} parts.")
    etags: dict[int, str] = {}
    for part in parts:
        number, etag = (part.get("partNumber"), part.get("etag")) if isinstance(part, dict) else (None, None)
        if not isinstance(number, int) or not isinstance(etag, str):
            raise InvalidRequestError(f"A part has a partNumber and an etag. Received: {str(part)[:80]}")
        etags[number] = etag.strip('"')
    return etags


def _answer(request: Request, repository: Repository, item: Any, *, in_parts: bool) -> dict[str, Any]:
    if not isinstance(item, dict) or not isinstance(item.get("oid"), str):
        raise InvalidRequestError("An object of a batch has an oid and a size.")
    oid, size = item["oid"], item.get("size")
    if not isinstance(size, int) or not 0 <= size < 2**60:
        raise InvalidRequestError(f"An object of a batch has a size in bytes. Received: size={size!r}")
    try:
        actions = _actions(request, repository, sha256_digest(oid), size, in_parts=in_parts)
    except HubError as error:
        return {"oid": oid, "size": size, "error": {"code": error.status, "message": error.message}}
    return {"oid": oid, "size": size, "authenticated": True} | actions


def _actions(request: Request, repository: Repository, sha256: str, size: int, *, in_parts: bool) -> dict[str, Any]:
    """Returns where to send the object; nothing to do where this very repository has it."""
    state = hub_state(request)
    stored = state.storage.blobs.claim(sha256)
    if stored is not None and repository.has_object(sha256):
        if stored != size:
            raise DigestMismatchError(f"The object {sha256} has {stored} bytes. Received: size={size}")
        return {}
    state.storage.blobs.check_room(size)
    base, name = base_url(request), f"{repository.id.kind}/{repository.id}"
    verify_url = f"{base}{request.url.path.removesuffix('/batch')}/verify"
    address, query = f"{base}/lfs/objects/{sha256}", state.upload_links.query(sha256, size, name)
    parts = state.multipart.part_count(size) if in_parts else 1
    upload: dict[str, Any] = {"href": f"{address}?{query}"}
    if parts > 1:
        urls = {str(number): f"{address}/parts/{number}?{query}" for number in range(1, parts + 1)}
        upload = {
            "href": f"{address}/complete?{query}",
            "header": {"chunk_size": str(state.multipart.part_bytes), **urls},
        }
    return {"actions": {"upload": upload, "verify": {"href": verify_url}}}


ROUTES = [
    Route(prefix + "/{namespace}/{name}.git/info/lfs/objects/" + action, endpoint, methods=["POST"])
    for prefix in ("", "/{kind}")
    for action, endpoint in (("batch", batch), ("verify", verify))
] + [
    Route("/lfs/objects/{sha256}", upload, methods=["PUT"]),
    Route("/lfs/objects/{sha256}/parts/{number:int}", upload_part, methods=["PUT"]),
    Route("/lfs/objects/{sha256}/complete", complete, methods=["POST"]),
]
