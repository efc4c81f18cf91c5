"""Collections of MongoDB: `mongodb://[USER@]HOST[:PORT]/DATABASE/COLLECTION[?OPTIONS]`, read in the order of `_id`.

The password is in the environment variable MONGODB_PASSWORD, and nowhere else. A collection is read in parts between
two `_id`s that are fixed when the run starts: a run that is resumed reads the parts that are missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from data.errors import SourceError, SourceUnavailable
from data.origin import Origin
from data.sources.items import Item, Part, Planned, ReadSettings, Record, SourceKind

if TYPE_CHECKING:
    from pymongo import MongoClient

PASSWORD_VARIABLE = "MONGODB_PASSWORD"
_SCHEMES = ("mongodb://", "mongodb+srv://")
_TIMEOUT_MILLISECONDS = 10_000  # until a server is found


class _Address(NamedTuple):
    """An address, taken apart."""

    uri: str  # for the client; no user, no password
    user: str | None
    database: str
    collection: str

    @property
    def name(self) -> str:
        return f"{self.database}.{self.collection}"


def plan(address: str, settings: ReadSettings) -> Planned:
    """Returns parts of `settings.part_rows` documents, between the `_id`s that are there now.

    Raises:
        SourceError: If the address, query or projection is wrong, or the server refuses them.
        SourceUnavailable: If it does not answer.
    """
    where = _parsed(address)
    parts, count = [], 0
    with _client(where) as client:
        collection = client[where.database][where.collection]
        ids = (each["_id"] for each in collection.find(_query(settings), {"_id": 1}).sort("_id", 1))
        for first, last, size in _ranges(ids, settings.part_rows):
            details = {"first": _as_text(first), "last": _as_text(last)}
            parts.append(Part(KIND.name, where.name, address, details=details))
            count += size
    return Planned(tuple(parts), ({"name": where.name, "documents": count},), Origin(sources=(where.name,)))


def read(part: Part, settings: ReadSettings) -> Iterator[Item]:
    """Yields the documents of a part, in the order of `_id`."""
    from bson import json_util

    where = _parsed(part.address)
    first, last = (json_util.loads(part.details[name]) for name in ("first", "last"))
    between = {"_id": {"$gte": first, "$lte": last}}
    query = {"$and": [_query(settings), between]}
    projection = json_util.loads(settings.projection) if settings.projection else None
    with _client(where) as client:
        found = client[where.database][where.collection].find(query, projection, batch_size=settings.batch_size)
        for document in found.sort("_id", 1):
            yield Record(f"{where.name}, _id {document.get('_id')}", document)


def _ranges(ids: Iterator[Any], size: int) -> Iterator[tuple[Any, Any, int]]:
    """Yields first, last and number of ids of each part; of one type, since MongoDB compares no others."""
    first = last = None
    count = 0
    for each in ids:
        if count and (count == size or type(each) is not type(last)):
            yield first, last, count
            count = 0
        first = first if count else each
        last, count = each, count + 1
    if count:
        yield first, last, count


@contextmanager
def _client(where: _Address) -> Iterator[MongoClient[Any]]:
    from pymongo import MongoClient
    from pymongo.errors import ConfigurationError, ConnectionFailure, OperationFailure, PyMongoError

    password = os.environ.get(PASSWORD_VARIABLE)
    if where.user and not password:
        raise SourceError(
            f"The password of user {where.user!r} must be in the environment variable {PASSWORD_VARIABLE}. "
            "Received: none. Set it."
        )
    account: dict[str, Any] = {"username": where.user, "password": password} if where.user else {}
    try:
        client: MongoClient[Any] = MongoClient(where.uri, serverSelectionTimeoutMS=_TIMEOUT_MILLISECONDS, **account)
        with client:
            yield client
    except (ConfigurationError, OperationFailure) as error:
        raise SourceError(
            f"MongoDB must accept what is asked of {where.name}. Received: {_first_line(error)}."
        ) from error
    except (ConnectionFailure, PyMongoError) as error:
        raise SourceUnavailable(
            f"MongoDB must answer for {where.name}. Received: {_first_line(error)}. "
            "Run the same command again: it goes on where it was."
        ) from error


def _parsed(address: str) -> _Address:
    url = urlsplit(address)
    if url.password is not None:
        raise SourceError(
            f"An address of MongoDB must not hold the password. Received: one in the address of {url.hostname}. "
            f"Put it into the environment variable {PASSWORD_VARIABLE}."
        )
    names = [unquote(name) for name in url.path.strip("/").split("/")]
    if len(names) != 2 or not all(names):
        raise SourceError(
            "An address of MongoDB must end in /DATABASE/COLLECTION. "
            f"Received: {url.scheme}://{url.netloc}{url.path}. Write mongodb://HOST/DATABASE/COLLECTION."
        )
    user, at, host = url.netloc.rpartition("@")
    return _Address(urlunsplit((url.scheme, host, "/", url.query, "")), unquote(user) if at else None, *names)


def _query(settings: ReadSettings) -> Any:
    from bson import json_util

    return json_util.loads(settings.query)


def _as_text(value: Any) -> str:
    from bson import json_util

    return str(json_util.dumps(value))


def _first_line(error: Exception) -> str:
    return str(error).split(", full error:")[0].split(", Timeout:")[0].splitlines()[0]


KIND = SourceKind("mongodb", lambda address: address.startswith(_SCHEMES), plan, read, is_live=True)
