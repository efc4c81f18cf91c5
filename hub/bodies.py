"""Reading what a client sends, within limits."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.requests import Request

from hub.errors import InvalidRequestError, TooLargeError

MAX_JSON_BYTES: Final = 16 * 1024 * 1024
MAX_FIELDS: Final = 2000
MAX_LINE_BYTES: Final = 16 * 1024 * 1024  # a regular file of 10 MiB in base64, and its path


async def read_json(request: Request) -> dict[str, Any]:
    """Returns the body as a JSON object; an empty body is an empty object."""
    try:
        value = json.loads(await read_bytes(request, limit=MAX_JSON_BYTES) or b"{}")
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"The body must be JSON ({error}).") from error
    if not isinstance(value, dict):
        raise InvalidRequestError(f"The body must be a JSON object. Received: {type(value).__name__}")
    return value


async def read_form(request: Request) -> dict[str, list[str]]:
    """Returns every value of every field of an URL-encoded form."""
    try:
        return parse_qs((await read_bytes(request, limit=MAX_JSON_BYTES)).decode(), max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise InvalidRequestError(f"The form could not be read ({error}).") from error


async def read_lines(request: Request) -> AsyncIterator[bytes]:
    """Yields the body's lines that are not blank, one at a time."""
    pending = bytearray()
    async for chunk in request.stream():
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            pending += line
            if pending.strip():
                yield bytes(pending)
            pending = bytearray()
        pending += rest
        if len(pending) > MAX_LINE_BYTES:
            raise TooLargeError(
                f"A line of a commit has at most {MAX_LINE_BYTES} bytes; send larger files as large files."
            )
    if pending.strip():
        yield bytes(pending)


async def read_bytes(request: Request, *, limit: int) -> bytes:
    """Returns the body as it is.

    Raises:
        TooLargeError: it has more than `limit` bytes.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLargeError(f"This request has at most {limit} bytes.")
    return bytes(body)


def strings(value: object, name: str) -> list[str]:
    """Returns a list of strings; one string stands for a list of it."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise InvalidRequestError(f"{name} must be a list of strings. Received: {str(value)[:80]}")
    return items
