"""Uploads in chunks. A client with `hf_xet` knows no other way to send a large file and falls back to none, so this
server speaks the first version of that protocol; downloads are plain ones, and chunks are shared with nobody.

Source: https://huggingface.co/docs/xet/api
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub.access import writable_repository
from hub.bodies import read_bytes
from hub.errors import EntryNotFoundError
from hub.names import xet_hash
from hub.shards import MAX_SHARD_BYTES, read_shard
from hub.state import HubState, base_url, hub_state
from hub.upload_links import UploadSession
from hub.xorbs import MAX_XORB_BYTES

_SESSION = "/xet/{session}"


def write_token(request: Request) -> Response:
    """Opens a session for one upload to a repository."""
    repository, _ = writable_repository(request)
    session = hub_state(request).upload_links.new_session(f"{repository.id.kind}/{repository.id}")
    address = f"{base_url(request)}/xet/{session.id}"
    headers = {
        "X-Xet-Cas-Url": address,
        "X-Xet-Access-Token": session.token,
        "X-Xet-Token-Expiration": str(session.expires),
    }
    answer = {"casUrl": address, "accessToken": session.token, "exp": session.expires}
    return JSONResponse(answer, headers=headers)


def known_chunk(request: Request) -> Response:
    """Says that no chunk is known from elsewhere: each upload brings its own."""
    _session(request)
    raise EntryNotFoundError("This chunk is not known here; send it.")


async def add_xorb(request: Request) -> Response:
    """Takes a xorb."""
    session, state = _session(request), hub_state(request)
    name = xet_hash(request.path_params["hash"])
    content = await read_bytes(request, limit=MAX_XORB_BYTES)
    is_new = await run_in_threadpool(state.chunked.add_xorb, session.id, name, content)
    return JSONResponse({"was_inserted": is_new})


async def add_shard(request: Request) -> Response:
    """Puts together the files that a shard describes."""
    session, state = _session(request), hub_state(request)
    content = await read_bytes(request, limit=MAX_SHARD_BYTES)
    await run_in_threadpool(_assemble, state, session, content)
    return JSONResponse({"result": 1})


def _session(request: Request) -> UploadSession:
    token = request.headers.get("authorization", "").partition(" ")[2]
    return hub_state(request).upload_links.check_session(request.path_params["session"], token.strip())


def _assemble(state: HubState, session: UploadSession, content: bytes) -> None:
    repository = state.storage.repository_named(session.repository)
    files = read_shard(content)
    for sha256 in state.chunked.assemble(session.id, files, was_sent=repository.has_object):
        repository.note_object(sha256)


ROUTES = [
    Route("/api/{kind}/{namespace}/{name}/xet-write-token/{revision}", write_token),
    Route(_SESSION + "/v1/chunks/default/{hash}", known_chunk),
    Route(_SESSION + "/v1/xorbs/default/{hash}", add_xorb, methods=["POST"]),
    Route(_SESSION + "/v1/shards", add_shard, methods=["POST"]),
]
